package main

import (
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const longestName = 80

func (m *machine) CloneVMTask(ctx *simulator.Context, req *types.CloneVM_Task) soap.HasFault {
	ref := m.site.start(ctx, m, "cloneVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		return m.clone(bg, req)
	})
	return &methods.CloneVM_TaskBody{Res: &types.CloneVM_TaskResponse{Returnval: ref}}
}

// clone makes a copy. It stands in its folder under its name from the first moment, without extra configuration; whoever is
// killed while it is made leaves it like that.
func (m *machine) clone(bg *simulator.Context, req *types.CloneVM_Task) (types.AnyType, *failure) {
	var copied *simulator.VirtualMachine
	_, problem := m.site.alone(func() (types.AnyType, *failure) {
		spec, problem := m.cloneSpec(req)
		if problem != nil {
			return nil, problem
		}
		body := m.VirtualMachine.CloneVMTask(bg, spec).(*methods.CloneVM_TaskBody)
		if body.Fault_ != nil {
			return nil, of(body.Fault_.VimFault().(types.BaseMethodFault))
		}
		result, problem := m.site.inner(bg, body.Res.Returnval)
		if problem != nil {
			return nil, problem
		}
		copied = m.site.vm(result.(types.ManagedObjectReference))
		m.likeSource(bg, copied, req)
		return nil, m.site.take(copied.Self, "clone")
	})
	m.site.countSpace()
	if problem != nil {
		return nil, problem
	}
	defer m.site.release(copied.Self)
	m.site.mu.Lock()
	m.site.origins[copied.Config.Uuid] = m.Name
	m.site.mu.Unlock()
	_ = m.site.save()
	time.Sleep(m.site.options.clone)
	made := &machine{copied, m.site}
	if req.Spec.Config != nil {
		if problem := made.reconfigure(bg, req.Spec.Config); problem != nil {
			return nil, problem
		}
	}
	if req.Spec.PowerOn && !req.Spec.Template {
		if problem := made.powerOn(bg); problem != nil {
			return nil, problem
		}
	}
	return copied.Self, nil
}

// cloneSpec checks what is asked for, and returns it in the form that the simulator does right.
func (m *machine) cloneSpec(req *types.CloneVM_Task) (*types.CloneVM_Task, *failure) {
	s := m.site
	if problem := s.freeName(req.Name, req.Folder); problem != nil {
		return nil, problem
	}
	pool := req.Spec.Location.Pool
	if pool == nil && !m.Config.Template {
		pool = m.ResourcePool
	}
	if pool == nil {
		return nil, of(&types.InvalidArgument{InvalidProperty: "spec.location.pool"})
	}
	datastore := req.Spec.Location.Datastore
	if datastore == nil {
		datastore = &m.Datastore[0]
	}
	host, problem := s.place(*pool, req.Spec.Location.Host, *datastore)
	if problem != nil {
		return nil, problem
	}
	if problem := s.space(*datastore, usage(m.Config.Hardware.Device)); problem != nil {
		return nil, problem
	}
	if problem := s.checkNetworks(req.Spec.Location.DeviceChange); problem != nil {
		return nil, problem
	}
	spec := &types.CloneVM_Task{This: req.This, Folder: req.Folder, Name: req.Name}
	spec.Spec = types.VirtualMachineCloneSpec{Template: req.Spec.Template}
	spec.Spec.Location = types.VirtualMachineRelocateSpec{
		Pool: pool, Host: host, Datastore: datastore, DeviceChange: req.Spec.Location.DeviceChange,
	}
	// The simulator derives both from the path: a machine made again in its place would have the old one's.
	spec.Spec.Config = &types.VirtualMachineConfigSpec{Uuid: uuid.NewString(), InstanceUuid: uuid.NewString()}
	return spec, nil
}

// freeName tells whether a name can be used in a folder.
func (s *site) freeName(name string, ref types.ManagedObjectReference) *failure {
	if name == "" || len(name) > longestName {
		return failed(&types.InvalidName{Name: name}, "The name '%s' is not valid: at most %d characters.", name, longestName)
	}
	parent, ok := s.registry.Get(ref).(*simulator.Folder)
	if !ok {
		return of(&types.ManagedObjectNotFound{Obj: ref})
	}
	if other := s.registry.FindByName(name, parent.ChildEntity); other != nil {
		return of(&types.DuplicateName{Name: name, Object: other.Reference()})
	}
	return nil
}

// place chooses the host: the one asked for, or the one of the pool with the fewest machines.
func (s *site) place(
	pool types.ManagedObjectReference, asked *types.ManagedObjectReference, datastore types.ManagedObjectReference,
) (*types.ManagedObjectReference, *failure) {
	found, ok := s.registry.Get(pool).(*simulator.ResourcePool)
	if !ok {
		return nil, of(&types.ManagedObjectNotFound{Obj: pool})
	}
	var hosts []types.ManagedObjectReference
	switch owner := s.registry.Get(found.Owner).(type) {
	case *simulator.ClusterComputeResource:
		hosts = owner.Host
	case *mo.ComputeResource:
		hosts = owner.Host
	}
	var best *types.ManagedObjectReference
	fewest := 0
	for i, ref := range hosts {
		host, ok := s.registry.Get(ref).(*simulator.HostSystem)
		if !ok || host.Runtime.InMaintenanceMode || simulator.FindReference(host.Datastore, datastore) == nil {
			continue
		}
		if asked != nil && *asked == ref {
			return asked, nil
		}
		if best == nil || len(host.Vm) < fewest {
			best, fewest = &hosts[i], len(host.Vm)
		}
	}
	if asked != nil {
		return nil, of(&types.InvalidArgument{InvalidProperty: "spec.location.host"})
	}
	if best == nil {
		return nil, failed(&types.InvalidDatastore{Datastore: &datastore}, "No host of the pool %s can reach the datastore %s.",
			found.Name, s.nameOf(datastore))
	}
	chosen := *best
	return &chosen, nil
}

// likeSource gives a copy what the simulator's clone leaves out.
func (m *machine) likeSource(bg *simulator.Context, vm *simulator.VirtualMachine, req *types.CloneVM_Task) {
	bg.AutoUpdate(vm, func() {
		from, to := m.Config, vm.Config
		to.Firmware, to.Flags, to.Annotation = from.Firmware, from.Flags, from.Annotation
		to.GuestFullName, to.SwapPlacement = from.GuestFullName, from.SwapPlacement
		to.CpuHotAddEnabled, to.MemoryHotAddEnabled = from.CpuHotAddEnabled, from.MemoryHotAddEnabled
		to.NestedHVEnabled, to.KeyId = from.NestedHVEnabled, from.KeyId
		if from.BootOptions != nil {
			boot := *from.BootOptions
			to.BootOptions = &boot
		}
		if from.Tools != nil {
			tools := *from.Tools
			to.Tools = &tools
		}
		for _, device := range to.Hardware.Device {
			switch d := device.(type) {
			case *types.VirtualDisk:
				relocated(d, req.Spec.Location.Disk)
			case types.BaseVirtualEthernetCard:
				card := d.GetVirtualEthernetCard()
				card.MacAddress, card.AddressType = newMAC(), string(types.VirtualEthernetCardMacTypeAssigned)
				for i := range vm.Guest.Net {
					if vm.Guest.Net[i].DeviceConfigId == card.Key {
						vm.Guest.Net[i].MacAddress = card.MacAddress
					}
				}
			}
		}
		vm.Summary.Config.NumCpu, vm.Summary.Config.MemorySizeMB = to.Hardware.NumCPU, to.Hardware.MemoryMB
		setTools(vm, hasTools(m.VirtualMachine))
		label(vm)
	})
}

// relocated applies what a clone asks for a disk: thin or not.
func relocated(disk *types.VirtualDisk, locators []types.VirtualMachineRelocateSpecDiskLocator) {
	for _, locator := range locators {
		asked, ok := locator.DiskBackingInfo.(*types.VirtualDiskFlatVer2BackingInfo)
		backing, flat := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if locator.DiskId != disk.Key || !ok || !flat {
			continue
		}
		if asked.ThinProvisioned != nil {
			backing.ThinProvisioned = asked.ThinProvisioned
		}
		if asked.EagerlyScrub != nil {
			backing.EagerlyScrub = asked.EagerlyScrub
		}
	}
}

// newMAC returns an address of the range that vCenter gives out by itself.
func newMAC() string {
	id := uuid.New()
	return hexPairs([]byte{0x00, 0x50, 0x56, 0x80 | id[0]&0x3f, id[1], id[2]})
}
