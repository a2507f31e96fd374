package main

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const toolsVersion = 12389 // of open-vm-tools

// seed is a machine that is there from the start.
type seed struct {
	name     string
	template bool
	tools    bool
	crypted  bool
}

var seeds = []seed{
	{name: "debian-12-edge", template: true, tools: true},
	{name: "no-tools", template: true},
	{name: "encrypted", template: true, tools: true, crypted: true},
	{name: "not-a-template", tools: true},
}

func (b *builder) machines() error {
	for _, one := range seeds {
		if err := b.machine(one); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	return nil
}

func (b *builder) machine(one seed) error {
	root, err := b.cluster.ResourcePool(b.ctx)
	if err != nil {
		return err
	}
	network := b.site.byName("Network", "vlan-hosts").Reference()
	backing, err := object.NewNetwork(b.client, network).EthernetCardBackingInfo(b.ctx)
	if err != nil {
		return err
	}
	spec, err := seedSpec(one.name, backing)
	if err != nil {
		return err
	}
	task, err := b.folders.VmFolder.CreateVM(b.ctx, spec, root, b.hosts[0])
	if err != nil {
		return err
	}
	info, err := task.WaitForResult(b.ctx)
	if err != nil {
		return err
	}
	vm := b.site.vm(info.Result.(types.ManagedObjectReference))
	b.ctx.WithLock(vm, func() {
		setTools(vm, one.tools)
		label(vm)
		if one.crypted {
			vm.Config.KeyId = &types.CryptoKeyId{KeyId: "lab", ProviderId: &types.KeyProviderId{Id: "lab"}}
		}
	})
	if one.template {
		return object.NewVirtualMachine(b.client, vm.Self).MarkAsTemplate(b.ctx)
	}
	return nil
}

func seedSpec(name string, network types.BaseVirtualDeviceBackingInfo) (types.VirtualMachineConfigSpec, error) {
	on, off := true, false
	spec := types.VirtualMachineConfigSpec{
		Name:                name,
		GuestId:             string(types.VirtualMachineGuestOsIdentifierDebian12_64Guest),
		Firmware:            string(types.GuestOsDescriptorFirmwareTypeEfi),
		Version:             hardwareVersion,
		NumCPUs:             2,
		MemoryMB:            2048,
		CpuHotAddEnabled:    &on,
		MemoryHotAddEnabled: &on,
		BootOptions:         &types.VirtualMachineBootOptions{EfiSecureBootEnabled: &on},
		Flags:               &types.VirtualMachineFlagInfo{EnableLogging: &on, DiskUuidEnabled: &off},
		Files:               &types.VirtualMachineFileInfo{VmPathName: "[ssd-1]"},
	}
	var devices object.VirtualDeviceList
	scsi, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return spec, err
	}
	devices = append(devices, scsi)
	disk := devices.CreateDisk(scsi.(types.BaseVirtualController), types.ManagedObjectReference{}, "")
	disk.CapacityInKB = 10 * gib / 1024
	disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo).ThinProvisioned = &on
	card, err := devices.CreateEthernetCard("vmxnet3", network)
	if err != nil {
		return spec, err
	}
	devices = append(devices, disk, card)
	spec.DeviceChange, err = devices.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	return spec, err
}

// setTools says whether a machine has VMware Tools; they run only when the guest does.
func setTools(vm *simulator.VirtualMachine, present bool) {
	vm.Guest.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning)
	vm.Guest.GuestState = string(types.VirtualMachineGuestStateNotRunning)
	if !present {
		none := string(types.VirtualMachineToolsVersionStatusGuestToolsNotInstalled)
		vm.Config.Tools.ToolsVersion = 0
		vm.Guest.ToolsVersion, vm.Guest.ToolsVersionStatus, vm.Guest.ToolsVersionStatus2 = "0", none, none
		vm.Guest.ToolsStatus = types.VirtualMachineToolsStatusToolsNotInstalled
		copySummary(vm)
		return
	}
	unmanaged := string(types.VirtualMachineToolsVersionStatusGuestToolsUnmanaged)
	vm.Config.Tools.ToolsVersion = toolsVersion
	vm.Guest.ToolsVersion = fmt.Sprint(toolsVersion)
	vm.Guest.ToolsVersionStatus, vm.Guest.ToolsVersionStatus2 = unmanaged, unmanaged
	vm.Guest.ToolsStatus = types.VirtualMachineToolsStatusToolsNotRunning
	copySummary(vm)
}

func copySummary(vm *simulator.VirtualMachine) {
	vm.Summary.Guest = &types.VirtualMachineGuestSummary{
		GuestId: vm.Config.GuestId, GuestFullName: vm.Config.GuestFullName, ToolsStatus: vm.Guest.ToolsStatus,
		ToolsVersionStatus: vm.Guest.ToolsVersionStatus, ToolsVersionStatus2: vm.Guest.ToolsVersionStatus2,
		ToolsRunningStatus: vm.Guest.ToolsRunningStatus, HostName: vm.Guest.HostName, IpAddress: vm.Guest.IpAddress,
	}
}

func hasTools(vm *simulator.VirtualMachine) bool {
	return vm.Config.Tools != nil && vm.Config.Tools.ToolsVersion != 0
}

// label names disks and cards as vCenter does: an import of a machine takes the names over.
func label(vm *simulator.VirtualMachine) {
	disks, cards, drives := 0, 0, 0
	devices := slices.Clone(vm.Config.Hardware.Device)
	slices.SortStableFunc(devices, func(a, b types.BaseVirtualDevice) int {
		return int(a.GetVirtualDevice().Key - b.GetVirtualDevice().Key)
	})
	for _, device := range devices {
		said := device.GetVirtualDevice().DeviceInfo
		if said == nil {
			continue
		}
		switch device.(type) {
		case *types.VirtualDisk:
			disks++
			said.GetDescription().Label = fmt.Sprintf("Hard disk %d", disks)
		case types.BaseVirtualEthernetCard:
			cards++
			said.GetDescription().Label = fmt.Sprintf("Network adapter %d", cards)
		case *types.VirtualCdrom:
			drives++
			said.GetDescription().Label = fmt.Sprintf("CD/DVD drive %d", drives)
		}
	}
}
