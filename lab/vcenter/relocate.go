package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func (m *machine) RelocateVMTask(ctx *simulator.Context, req *types.RelocateVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "relocateVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("relocate", func() (types.AnyType, *failure) { return nil, m.relocate(bg, &req.Spec) })
	})
	return &methods.RelocateVM_TaskBody{Res: &types.RelocateVM_TaskResponse{Returnval: ref}}
}

func (m *machine) MigrateVMTask(ctx *simulator.Context, req *types.MigrateVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "migrateVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("migrate", func() (types.AnyType, *failure) {
			return nil, m.relocate(bg, &types.VirtualMachineRelocateSpec{Pool: req.Pool, Host: req.Host})
		})
	})
	return &methods.MigrateVM_TaskBody{Res: &types.MigrateVM_TaskResponse{Returnval: ref}}
}

// relocate moves a machine to another host, pool, datastore or folder; it goes on running.
func (m *machine) relocate(bg *simulator.Context, spec *types.VirtualMachineRelocateSpec) *failure {
	s := m.site
	_, problem := s.alone(func() (types.AnyType, *failure) {
		pool, datastore := m.ResourcePool, m.Datastore[0]
		if spec.Pool != nil {
			pool = spec.Pool
		}
		if spec.Datastore != nil {
			datastore = *spec.Datastore
		}
		host := spec.Host
		if pool != nil && (host != nil || spec.Pool != nil) {
			asked := host
			if asked == nil && s.poolHas(*pool, *m.Runtime.Host) {
				asked = m.Runtime.Host
			}
			chosen, problem := s.place(*pool, asked, datastore)
			if problem != nil {
				return nil, problem
			}
			host = chosen
		}
		if datastore != m.Datastore[0] {
			if problem := s.space(datastore, usage(m.Config.Hardware.Device)); problem != nil {
				return nil, problem
			}
		}
		if problem := s.checkNetworks(spec.DeviceChange); problem != nil {
			return nil, problem
		}
		return nil, m.move(bg, spec, host, datastore)
	})
	s.countSpace()
	return problem
}

func (s *site) poolHas(pool, host types.ManagedObjectReference) bool {
	found, ok := s.registry.Get(pool).(*simulator.ResourcePool)
	if !ok {
		return false
	}
	switch owner := s.registry.Get(found.Owner).(type) {
	case *simulator.ClusterComputeResource:
		return simulator.FindReference(owner.Host, host) != nil
	case *mo.ComputeResource:
		return simulator.FindReference(owner.Host, host) != nil
	}
	return false
}

func (m *machine) move(
	bg *simulator.Context, spec *types.VirtualMachineRelocateSpec, host *types.ManagedObjectReference,
	datastore types.ManagedObjectReference,
) *failure {
	s := m.site
	if host != nil && *host != *m.Runtime.Host {
		from := s.registry.Get(*m.Runtime.Host).(*simulator.HostSystem)
		to := s.registry.Get(*host).(*simulator.HostSystem)
		bg.Map.RemoveReference(bg, from, &from.Vm, m.Self)
		bg.Map.AddReference(bg, to, &to.Vm, m.Self)
		ref := *host
		bg.AutoUpdate(m.VirtualMachine, func() { m.Runtime.Host, m.Summary.Runtime.Host = &ref, &ref })
	}
	if spec.Pool != nil && m.ResourcePool != nil && *spec.Pool != *m.ResourcePool {
		if from, ok := s.registry.Get(*m.ResourcePool).(*simulator.ResourcePool); ok {
			bg.Map.RemoveReference(bg, from, &from.Vm, m.Self)
		}
		to := s.registry.Get(*spec.Pool).(*simulator.ResourcePool)
		bg.Map.AddReference(bg, to, &to.Vm, m.Self)
		ref := *spec.Pool
		bg.AutoUpdate(m.VirtualMachine, func() { m.ResourcePool = &ref })
	}
	if datastore != m.Datastore[0] {
		m.moveFiles(bg, datastore)
	}
	if len(spec.DeviceChange) > 0 {
		change := types.VirtualMachineConfigSpec{DeviceChange: spec.DeviceChange}
		req := &types.ReconfigVM_Task{This: m.Self, Spec: change}
		body := m.VirtualMachine.ReconfigVMTask(bg, req).(*methods.ReconfigVM_TaskBody)
		if _, problem := s.inner(bg, body.Res.Returnval); problem != nil {
			return problem
		}
	}
	if spec.Folder != nil && *spec.Folder != *m.Parent {
		to, ok := s.registry.Get(*spec.Folder).(*simulator.Folder)
		if !ok {
			return of(&types.ManagedObjectNotFound{Obj: *spec.Folder})
		}
		list := []types.ManagedObjectReference{m.Self}
		body := to.MoveIntoFolderTask(bg, &types.MoveIntoFolder_Task{This: to.Self, List: list})
		_, problem := s.inner(bg, body.(*methods.MoveIntoFolder_TaskBody).Res.Returnval)
		return problem
	}
	return nil
}

// moveFiles moves the machine's folder to another datastore, and every path that names it.
func (m *machine) moveFiles(bg *simulator.Context, ref types.ManagedObjectReference) {
	s := m.site
	from := s.registry.Get(m.Datastore[0]).(*simulator.Datastore)
	to := s.registry.Get(ref).(*simulator.Datastore)
	folder := strings.SplitN(strings.TrimPrefix(m.Config.Files.VmPathName, "["+from.Name+"] "), "/", 2)[0]
	_ = os.Rename(filepath.Join(from.Summary.Url, folder), filepath.Join(to.Summary.Url, folder))
	moved := func(path *string) { *path = strings.Replace(*path, "["+from.Name+"]", "["+to.Name+"]", 1) }
	bg.AutoUpdate(m.VirtualMachine, func() {
		files := &m.Config.Files
		for _, path := range []*string{
			&files.VmPathName, &files.SnapshotDirectory, &files.SuspendDirectory, &files.LogDirectory,
			&m.Summary.Config.VmPathName,
		} {
			moved(path)
		}
		for i := range m.LayoutEx.File {
			moved(&m.LayoutEx.File[i].Name)
		}
		for _, device := range m.Config.Hardware.Device {
			disk, ok := device.(*types.VirtualDisk)
			if !ok {
				continue
			}
			backing, flat := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
			for ; flat && backing != nil; backing = backing.Parent {
				own := ref
				moved(&backing.FileName)
				backing.Datastore = &own
			}
		}
		m.Datastore = []types.ManagedObjectReference{ref}
	})
	bg.Map.RemoveReference(bg, from, &from.Vm, m.Self)
	bg.Map.AddReference(bg, to, &to.Vm, m.Self)
}
