package main

import (
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func (m *machine) ReconfigVMTask(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "reconfigVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("reconfigure", func() (types.AnyType, *failure) { return nil, m.reconfigure(bg, &req.Spec) })
	})
	return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: ref}}
}

// reconfigure changes a machine as far as vCenter would in its power state.
func (m *machine) reconfigure(bg *simulator.Context, spec *types.VirtualMachineConfigSpec) *failure {
	_, problem := m.site.alone(func() (types.AnyType, *failure) {
		if problem := m.site.checkSpec(m.VirtualMachine, spec); problem != nil {
			return nil, problem
		}
		if !m.Config.Template {
			m.completeSpec(spec)
		}
		req := &types.ReconfigVM_Task{This: m.Self, Spec: *spec}
		body := m.VirtualMachine.ReconfigVMTask(bg, req).(*methods.ReconfigVM_TaskBody)
		if _, problem := m.site.inner(bg, body.Res.Returnval); problem != nil {
			return nil, problem
		}
		bg.AutoUpdate(m.VirtualMachine, func() { applyRest(m.VirtualMachine, spec) })
		return nil, nil
	})
	m.site.countSpace()
	m.site.changes.wake()
	if problem == nil && m.Runtime.PowerState == on {
		if err := m.site.define(m.VirtualMachine); err != nil {
			return failed(&types.GenericVmConfigFault{Reason: err.Error()}, "%v", err)
		}
	}
	return problem
}

// completeSpec fills the parts of a spec that the simulator takes whole with what the machine has, and drops removals of
// options that are not there.
func (m *machine) completeSpec(spec *types.VirtualMachineConfigSpec) {
	if spec.Flags != nil {
		fill(spec.Flags, &m.Config.Flags)
	}
	if spec.BootOptions != nil && m.Config.BootOptions != nil {
		fill(spec.BootOptions, m.Config.BootOptions)
	}
	if spec.Tools != nil && m.Config.Tools != nil {
		fill(spec.Tools, m.Config.Tools)
	}
	known := extra(m.VirtualMachine)
	var kept []types.BaseOptionValue
	for _, option := range spec.ExtraConfig {
		o := option.GetOptionValue()
		if _, there := known[o.Key]; there || o.Value != "" {
			kept = append(kept, option)
		}
	}
	spec.ExtraConfig = kept
}

// fill sets every field of a struct that says nothing to the other's value.
func fill(into, from any) {
	to, source := reflect.ValueOf(into).Elem(), reflect.ValueOf(from).Elem()
	for i := range to.NumField() {
		if to.Field(i).CanSet() && to.Field(i).IsZero() {
			to.Field(i).Set(source.Field(i))
		}
	}
}

// applyRest keeps what the simulator forgets of a spec.
func applyRest(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) {
	if spec.SwapPlacement != "" {
		vm.Config.SwapPlacement = spec.SwapPlacement
	}
	if spec.VPMCEnabled != nil {
		vm.Config.VPMCEnabled = spec.VPMCEnabled
	}
	if spec.Files != nil && spec.Files.SuspendDirectory != "" {
		vm.Config.Files.SuspendDirectory = spec.Files.SuspendDirectory
	}
	vm.Summary.Config.Annotation = vm.Config.Annotation
	label(vm)
}

// checkSpec refuses what vCenter would refuse; vm is nil for a new machine.
func (s *site) checkSpec(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) *failure {
	checks := []func(*simulator.VirtualMachine, *types.VirtualMachineConfigSpec) *failure{
		s.checkSizes, s.checkPowered, s.checkName, s.checkDevices, s.checkBootOrder,
	}
	for _, check := range checks {
		if problem := check(vm, spec); problem != nil {
			return problem
		}
	}
	return nil
}

func (s *site) checkSizes(_ *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) *failure {
	if spec.GuestId != "" && !knownGuest(spec.GuestId) {
		return of(&types.InvalidArgument{InvalidProperty: "configSpec.guestId"})
	}
	if spec.MemoryMB%4 != 0 {
		return failed(&types.InvalidArgument{InvalidProperty: "configSpec.memoryMB"},
			"Memory size must be a multiple of 4 MB, and %d is not.", spec.MemoryMB)
	}
	if cores := spec.NumCoresPerSocket; cores != nil && *cores > 0 && spec.NumCPUs%*cores != 0 {
		return of(&types.InvalidArgument{InvalidProperty: "configSpec.numCoresPerSocket"})
	}
	return nil
}

func knownGuest(id string) bool {
	for _, known := range simulator.GuestID {
		if string(known) == id {
			return true
		}
	}
	return false
}

// checkPowered refuses changes of a machine that is on, other than those which its hot-add settings allow.
func (s *site) checkPowered(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) *failure {
	if vm == nil || vm.Runtime.PowerState != on {
		return nil
	}
	has := vm.Config
	if asked := spec.NumCPUs; asked != 0 && asked != has.Hardware.NumCPU {
		if asked < has.Hardware.NumCPU || has.CpuHotAddEnabled == nil || !*has.CpuHotAddEnabled {
			return failed(&types.CpuHotPlugNotSupported{}, "CPU hot plug is not supported for this virtual machine.")
		}
	}
	if asked := spec.MemoryMB; asked != 0 && asked != int64(has.Hardware.MemoryMB) {
		if asked < int64(has.Hardware.MemoryMB) || has.MemoryHotAddEnabled == nil || !*has.MemoryHotAddEnabled {
			return failed(&types.MemoryHotPlugNotSupported{}, "Memory hot plug is not supported for this virtual machine.")
		}
	}
	cold := spec.Firmware != "" && spec.Firmware != has.Firmware ||
		spec.GuestId != "" && spec.GuestId != has.GuestId ||
		differs(spec.CpuHotAddEnabled, has.CpuHotAddEnabled) ||
		differs(spec.MemoryHotAddEnabled, has.MemoryHotAddEnabled) ||
		differs(spec.NestedHVEnabled, has.NestedHVEnabled) ||
		spec.Flags != nil && differs(spec.Flags.DiskUuidEnabled, has.Flags.DiskUuidEnabled)
	if cores := spec.NumCoresPerSocket; cores != nil && has.Hardware.NumCoresPerSocket != nil {
		cold = cold || *cores != 0 && *cores != *has.Hardware.NumCoresPerSocket
	}
	if cold {
		return of(&types.InvalidPowerState{RequestedState: off, ExistingState: on})
	}
	return nil
}

func differs(asked, has *bool) bool {
	return asked != nil && *asked != (has != nil && *has)
}

func (s *site) checkName(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) *failure {
	if vm == nil || spec.Name == "" || spec.Name == vm.Name || vm.Parent == nil {
		return nil
	}
	return s.freeName(spec.Name, *vm.Parent)
}

func (s *site) checkDevices(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) *failure {
	if problem := s.checkNetworks(spec.DeviceChange); problem != nil {
		return problem
	}
	for i, change := range spec.DeviceChange {
		c := change.GetVirtualDeviceConfigSpec()
		switch device := c.Device.(type) {
		case *types.VirtualDisk:
			if problem := s.checkDisk(vm, spec, c, device, int32(i)); problem != nil {
				return problem
			}
		case *types.VirtualCdrom:
			backing, iso := device.Backing.(*types.VirtualCdromIsoBackingInfo)
			if iso && c.Operation != types.VirtualDeviceConfigSpecOperationRemove && !s.isFile(backing.FileName) {
				return failed(&types.FileNotFound{FileFault: types.FileFault{File: backing.FileName}},
					"File %s was not found.", backing.FileName)
			}
		}
	}
	return nil
}

func (s *site) isFile(name string) bool {
	place, there := s.fileAt(name)
	if !there {
		return false
	}
	info, err := os.Stat(place)
	return err == nil && info.Mode().IsRegular()
}

// checkNetworks refuses cards in networks that are not there, and addresses of a range that vCenter keeps for itself.
func (s *site) checkNetworks(changes []types.BaseVirtualDeviceConfigSpec) *failure {
	for i, change := range changes {
		c := change.GetVirtualDeviceConfigSpec()
		card, ok := c.Device.(types.BaseVirtualEthernetCard)
		if !ok || c.Operation == types.VirtualDeviceConfigSpecOperationRemove {
			continue
		}
		spec := types.InvalidDeviceSpec{DeviceIndex: int32(i)}
		switch backing := card.GetVirtualEthernetCard().Backing.(type) {
		case *types.VirtualEthernetCardNetworkBackingInfo:
			if s.byName("Network", backing.DeviceName) == nil {
				return failed(&types.InvalidDeviceBacking{InvalidDeviceSpec: spec},
					"Invalid backing for device '%d': there is no network '%s'.", i, backing.DeviceName)
			}
		case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
			key := types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: backing.Port.PortgroupKey}
			if s.registry.Get(key) == nil {
				return failed(&types.InvalidDeviceBacking{InvalidDeviceSpec: spec},
					"Invalid backing for device '%d': there is no port group '%s'.", i, key.Value)
			}
		}
		mac := strings.Split(card.GetVirtualEthernetCard().MacAddress, ":")
		manual := card.GetVirtualEthernetCard().AddressType == string(types.VirtualEthernetCardMacTypeManual)
		if manual && len(mac) == 6 && strings.Join(mac[:3], ":") == "00:50:56" {
			if fourth, err := strconv.ParseUint(mac[3], 16, 8); err != nil || fourth > 0x3f {
				return failed(&spec, "The MAC address %s is not in the valid range 00:50:56:00:00:00 - 00:50:56:3F:FF:FF.",
					strings.Join(mac, ":"))
			}
		}
	}
	return nil
}
