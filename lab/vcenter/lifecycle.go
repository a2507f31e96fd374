package main

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func (m *machine) DestroyTask(ctx *simulator.Context, _ *types.Destroy_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "destroy", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("destroy", func() (types.AnyType, *failure) { return nil, m.destroy(bg) })
	})
	return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: ref}}
}

func (m *machine) destroy(bg *simulator.Context) *failure {
	if state := m.Runtime.PowerState; state != off {
		return of(&types.InvalidPowerState{RequestedState: off, ExistingState: state})
	}
	if problem := m.site.discard(m.Config.Uuid); problem != nil {
		return problem
	}
	_, problem := m.site.alone(func() (types.AnyType, *failure) {
		m.forgetRules(bg)
		body := m.VirtualMachine.DestroyTask(bg, &types.Destroy_Task{This: m.Self}).(*methods.Destroy_TaskBody)
		return m.site.inner(bg, body.Res.Returnval)
	})
	m.site.countSpace()
	return problem
}

// forgetRules takes the machine out of its cluster's rules, as vCenter does.
func (m *machine) forgetRules(bg *simulator.Context) {
	for _, item := range m.site.registry.All("ClusterComputeResource") {
		found := item.(*simulator.ClusterComputeResource)
		config, ok := found.ConfigurationEx.(*types.ClusterConfigInfoEx)
		if !ok {
			continue
		}
		bg.WithLock(found, func() {
			for _, rule := range config.Rule {
				switch r := rule.(type) {
				case *types.ClusterAntiAffinityRuleSpec:
					simulator.RemoveReference(&r.Vm, m.Self)
				case *types.ClusterAffinityRuleSpec:
					simulator.RemoveReference(&r.Vm, m.Self)
				}
			}
		})
	}
}

func (m *machine) RenameTask(ctx *simulator.Context, req *types.Rename_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "rename", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("rename", func() (types.AnyType, *failure) {
			return nil, m.reconfigure(bg, &types.VirtualMachineConfigSpec{Name: req.NewName})
		})
	})
	return &methods.Rename_TaskBody{Res: &types.Rename_TaskResponse{Returnval: ref}}
}

// snapshot is one snapshot of a machine.
type snapshot struct {
	*simulator.VirtualMachineSnapshot
	site *site
}

func (m *machine) CreateSnapshotTask(ctx *simulator.Context, req *types.CreateSnapshot_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "createSnapshot", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("snapshot", func() (types.AnyType, *failure) {
			return m.site.alone(func() (types.AnyType, *failure) {
				body := m.VirtualMachine.CreateSnapshotTask(bg, req).(*methods.CreateSnapshot_TaskBody)
				result, problem := m.site.inner(bg, body.Res.Returnval)
				m.layers(bg)
				return result, problem
			})
		})
	})
	return &methods.CreateSnapshot_TaskBody{Res: &types.CreateSnapshot_TaskResponse{Returnval: ref}}
}

func (m *machine) RemoveAllSnapshotsTask(ctx *simulator.Context, req *types.RemoveAllSnapshots_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "removeAllSnapshots", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("snapshot", func() (types.AnyType, *failure) {
			return m.site.alone(func() (types.AnyType, *failure) {
				body := m.VirtualMachine.RemoveAllSnapshotsTask(bg, req).(*methods.RemoveAllSnapshots_TaskBody)
				result, problem := m.site.inner(bg, body.Res.Returnval)
				m.layers(bg)
				return result, problem
			})
		})
	})
	return &methods.RemoveAllSnapshots_TaskBody{Res: &types.RemoveAllSnapshots_TaskResponse{Returnval: ref}}
}

func (sn *snapshot) RemoveSnapshotTask(ctx *simulator.Context, req *types.RemoveSnapshot_Task) soap.HasFault {
	owner := &machine{sn.site.vm(sn.Vm), sn.site}
	ref := sn.site.start(ctx, owner, "removeSnapshot", func(bg *simulator.Context) (types.AnyType, *failure) {
		return owner.working("snapshot", func() (types.AnyType, *failure) {
			return sn.site.alone(func() (types.AnyType, *failure) {
				body := sn.VirtualMachineSnapshot.RemoveSnapshotTask(bg, req).(*methods.RemoveSnapshot_TaskBody)
				result, problem := sn.site.inner(bg, body.Res.Returnval)
				owner.layers(bg)
				return result, problem
			})
		})
	})
	return &methods.RemoveSnapshot_TaskBody{Res: &types.RemoveSnapshot_TaskResponse{Returnval: ref}}
}

// layers names the disks' files as they are called with the machine's snapshots: one layer for each, the last written to.
func (m *machine) layers(bg *simulator.Context) {
	depth := 0
	if m.Snapshot != nil {
		depth = countSnapshots(m.Snapshot.RootSnapshotList)
	}
	bg.AutoUpdate(m.VirtualMachine, func() {
		for _, device := range m.Config.Hardware.Device {
			disk, ok := device.(*types.VirtualDisk)
			if !ok {
				continue
			}
			backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
			if !ok {
				continue
			}
			for backing.Parent != nil {
				backing = backing.Parent
			}
			stem := strings.TrimSuffix(backing.FileName, ".vmdk")
			for number := 1; number <= depth; number++ {
				above := *backing
				above.FileName, above.Parent = fmt.Sprintf("%s-%06d.vmdk", stem, number), backing
				backing = &above
			}
			disk.Backing = backing
		}
	})
	m.site.changes.wake()
}

func countSnapshots(trees []types.VirtualMachineSnapshotTree) int {
	sum := len(trees)
	for _, tree := range trees {
		sum += countSnapshots(tree.ChildSnapshotList)
	}
	return sum
}

// cluster keeps the rules for machines.
type cluster struct {
	*simulator.ClusterComputeResource
	site *site
}

func (c *cluster) ReconfigureComputeResourceTask(
	ctx *simulator.Context, req *types.ReconfigureComputeResource_Task,
) soap.HasFault {
	ref := c.site.start(ctx, c, "reconfigureComputeResource", func(bg *simulator.Context) (types.AnyType, *failure) {
		return c.site.alone(func() (types.AnyType, *failure) {
			if problem := c.checkRules(req); problem != nil {
				return nil, problem
			}
			body := c.ClusterComputeResource.ReconfigureComputeResourceTask(bg, req)
			return c.site.inner(bg, body.(*methods.ReconfigureComputeResource_TaskBody).Res.Returnval)
		})
	})
	return &methods.ReconfigureComputeResource_TaskBody{
		Res: &types.ReconfigureComputeResource_TaskResponse{Returnval: ref},
	}
}

// checkRules refuses rules for fewer than two machines, or for machines that are not in the cluster.
func (c *cluster) checkRules(req *types.ReconfigureComputeResource_Task) *failure {
	spec, ok := req.Spec.(*types.ClusterConfigSpecEx)
	if !ok {
		return nil
	}
	for _, change := range spec.RulesSpec {
		rule, ok := change.Info.(*types.ClusterAntiAffinityRuleSpec)
		if !ok || change.Operation == types.ArrayUpdateOperationRemove {
			continue
		}
		if len(rule.Vm) < 2 {
			return of(&types.InvalidArgument{InvalidProperty: "spec.rulesSpec.info.vm"})
		}
		for _, ref := range rule.Vm {
			vm := c.site.vm(ref)
			if vm == nil || simulator.FindReference(c.Host, *vm.Runtime.Host) == nil {
				return of(&types.InvalidArgument{InvalidProperty: "spec.rulesSpec.info.vm"})
			}
		}
	}
	return nil
}

// markOn shows a machine that is on as powered on; only called by one who has the hands.
func (s *site) markOn(bg *simulator.Context, vm *simulator.VirtualMachine) *failure {
	body := vm.PowerOnVMTask(bg, &types.PowerOnVM_Task{This: vm.Self}).(*methods.PowerOnVM_TaskBody)
	_, problem := s.inner(bg, body.Res.Returnval)
	return problem
}
