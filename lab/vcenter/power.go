package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	on  = types.VirtualMachinePowerStatePoweredOn
	off = types.VirtualMachinePowerStatePoweredOff
)

// machine is a virtual machine as vCenter shows and treats it.
type machine struct {
	*simulator.VirtualMachine
	site *site
}

func (m *machine) PowerOnVMTask(ctx *simulator.Context, _ *types.PowerOnVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "powerOnVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("power on", func() (types.AnyType, *failure) { return nil, m.powerOn(bg) })
	})
	return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: ref}}
}

func (m *machine) PowerOffVMTask(ctx *simulator.Context, _ *types.PowerOffVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "powerOffVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("power off", func() (types.AnyType, *failure) { return nil, m.powerOff(bg) })
	})
	return &methods.PowerOffVM_TaskBody{Res: &types.PowerOffVM_TaskResponse{Returnval: ref}}
}

func (m *machine) ResetVMTask(ctx *simulator.Context, _ *types.ResetVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "resetVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("reset", func() (types.AnyType, *failure) {
			if state := m.Runtime.PowerState; state != on {
				return nil, of(&types.InvalidPowerState{RequestedState: on, ExistingState: state})
			}
			m.site.setGuest(bg, m.VirtualMachine, guest{})
			return nil, m.site.press(m.VirtualMachine, "reset")
		})
	})
	return &methods.ResetVM_TaskBody{Res: &types.ResetVM_TaskResponse{Returnval: ref}}
}

func (m *machine) SuspendVMTask(ctx *simulator.Context, req *types.SuspendVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "suspendVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.working("suspend", func() (types.AnyType, *failure) {
			if problem := m.site.press(m.VirtualMachine, "off"); problem != nil {
				return nil, problem
			}
			return m.site.alone(func() (types.AnyType, *failure) {
				body := m.VirtualMachine.SuspendVMTask(bg, req).(*methods.SuspendVM_TaskBody)
				return m.site.inner(bg, body.Res.Returnval)
			})
		})
	})
	return &methods.SuspendVM_TaskBody{Res: &types.SuspendVM_TaskResponse{Returnval: ref}}
}

// ShutdownGuest asks the guest to power off; that it did is seen later.
func (m *machine) ShutdownGuest(ctx *simulator.Context, _ *types.ShutdownGuest) soap.HasFault {
	if problem := m.askable(); problem != nil {
		return &methods.ShutdownGuestBody{Fault_: problem.refuse()}
	}
	bg := background(ctx)
	go func() {
		if m.site.lab == nil {
			_ = m.powerOff(bg)
			return
		}
		_ = m.site.press(m.VirtualMachine, "shutdown")
	}()
	return &methods.ShutdownGuestBody{Res: new(types.ShutdownGuestResponse)}
}

func (m *machine) RebootGuest(ctx *simulator.Context, _ *types.RebootGuest) soap.HasFault {
	if problem := m.askable(); problem != nil {
		return &methods.RebootGuestBody{Fault_: problem.refuse()}
	}
	go func() { _ = m.site.press(m.VirtualMachine, "reboot") }()
	return &methods.RebootGuestBody{Res: new(types.RebootGuestResponse)}
}

// askable tells whether there is a guest that can be asked: powered on, and with running Tools.
func (m *machine) askable() *failure {
	if state := m.Runtime.PowerState; state != on {
		return of(&types.InvalidPowerState{RequestedState: on, ExistingState: state})
	}
	if m.Guest.ToolsRunningStatus != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		return failed(&types.ToolsUnavailable{}, "Cannot complete operation because VMware Tools is not running in this virtual machine.")
	}
	return nil
}

// working runs something on a machine that nothing else is at work on.
func (m *machine) working(what string, run step) (types.AnyType, *failure) {
	if m.site.vm(m.Self) == nil {
		return nil, of(&types.ManagedObjectNotFound{Obj: m.Self})
	}
	if problem := m.site.take(m.Self, what); problem != nil {
		return nil, problem
	}
	defer m.site.release(m.Self)
	return run()
}

// step is a part of a task.
type step = func() (types.AnyType, *failure)

func (m *machine) powerOn(bg *simulator.Context) *failure {
	if m.Config.Template {
		return of(&types.InvalidState{})
	}
	if state := m.Runtime.PowerState; state == on {
		return of(&types.InvalidPowerState{RequestedState: on, ExistingState: state})
	}
	if problem := m.room(); problem != nil {
		return problem
	}
	if problem := m.site.press(m.VirtualMachine, "on"); problem != nil {
		return problem
	}
	_, problem := m.site.alone(func() (types.AnyType, *failure) {
		body := m.VirtualMachine.PowerOnVMTask(bg, &types.PowerOnVM_Task{This: m.Self}).(*methods.PowerOnVM_TaskBody)
		return m.site.inner(bg, body.Res.Returnval)
	})
	if problem == nil && m.site.lab == nil {
		m.site.setGuest(bg, m.VirtualMachine, pretend(m.VirtualMachine))
	}
	return problem
}

func (m *machine) powerOff(bg *simulator.Context) *failure {
	if state := m.Runtime.PowerState; state == off {
		return of(&types.InvalidPowerState{RequestedState: off, ExistingState: state})
	}
	if problem := m.site.press(m.VirtualMachine, "off"); problem != nil {
		return problem
	}
	return m.site.markOff(bg, m.VirtualMachine)
}

// markOff shows a machine that is off as powered off.
func (s *site) markOff(bg *simulator.Context, vm *simulator.VirtualMachine) *failure {
	_, problem := s.alone(func() (types.AnyType, *failure) {
		if vm.Runtime.PowerState == off {
			return nil, nil
		}
		body := vm.PowerOffVMTask(bg, &types.PowerOffVM_Task{This: vm.Self}).(*methods.PowerOffVM_TaskBody)
		return s.inner(bg, body.Res.Returnval)
	})
	s.setGuest(bg, vm, guest{})
	return problem
}

// room refuses a machine for which its pool, or a pool above, has no memory left; only pools with a limit are full.
func (m *machine) room() *failure {
	at := m.ResourcePool
	for at != nil && at.Type == "ResourcePool" {
		pool, ok := m.site.registry.Get(*at).(*simulator.ResourcePool)
		if !ok {
			return nil
		}
		if limit := pool.Config.MemoryAllocation.Limit; limit != nil && *limit >= 0 {
			used := m.site.memoryIn(pool.Self)
			if wanted := int64(m.Config.Hardware.MemoryMB); used+wanted > *limit {
				return failed(
					&types.InsufficientMemoryResourcesFault{Unreserved: (*limit - used) << 20, Requested: wanted << 20},
					"The available memory resources in the parent resource pool '%s' are insufficient for the operation: "+
						"%d MiB asked for, %d MiB left.", pool.Name, wanted, *limit-used)
			}
		}
		at = pool.Parent
	}
	return nil
}

func (s *site) memoryIn(pool types.ManagedObjectReference) int64 {
	var used int64
	for _, vm := range s.vms() {
		for at := vm.ResourcePool; at != nil && at.Type == "ResourcePool"; {
			if *at == pool && vm.Runtime.PowerState == on {
				used += int64(vm.Config.Hardware.MemoryMB)
			}
			parent, ok := s.registry.Get(*at).(*simulator.ResourcePool)
			if !ok {
				break
			}
			at = parent.Parent
		}
	}
	return used
}
