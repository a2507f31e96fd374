package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// files manages the files of the datastores; most of its work is the simulator's.
type files struct {
	*simulator.FileManager
	site *site
}

// DeleteDatastoreFileTask deletes a file or a folder with all that is in it, unless a machine that is on has it in a drive.
func (f *files) DeleteDatastoreFileTask(ctx *simulator.Context, req *types.DeleteDatastoreFile_Task) soap.HasFault {
	ref := f.site.start(ctx, f, "deleteDatastoreFile", func(bg *simulator.Context) (types.AnyType, *failure) {
		if user := f.site.holder(req.Name); user != "" {
			return nil, failed(&types.FileLocked{FileFault: types.FileFault{File: req.Name}},
				"Unable to access file %s since it is locked: it is in a drive of %s.", req.Name, user)
		}
		if _, there := f.site.fileAt(req.Name); !there {
			return nil, failed(&types.FileNotFound{FileFault: types.FileFault{File: req.Name}}, "File %s was not found", req.Name)
		}
		body := f.FileManager.DeleteDatastoreFileTask(bg, req).(*methods.DeleteDatastoreFile_TaskBody)
		return f.site.inner(bg, body.Res.Returnval)
	})
	return &methods.DeleteDatastoreFile_TaskBody{Res: &types.DeleteDatastoreFile_TaskResponse{Returnval: ref}}
}

// fileAt returns where a file of a datastore lies, and whether it is there.
func (s *site) fileAt(name string) (string, bool) {
	var path object.DatastorePath
	if !path.FromString(name) {
		return "", false
	}
	datastore, ok := s.byName("Datastore", path.Datastore).(*simulator.Datastore)
	if !ok {
		return "", false
	}
	place := filepath.Join(datastore.Summary.Url, filepath.Clean("/"+path.Path))
	_, err := os.Stat(place)
	return place, err == nil
}

// holder names a machine that is on and has a file, or one of a folder, in a drive.
func (s *site) holder(name string) string {
	wanted, _ := s.fileAt(name)
	for _, vm := range s.vms() {
		if vm.Config == nil || vm.Runtime.PowerState != on {
			continue
		}
		for _, iso := range drives(vm) {
			if used, there := s.fileAt(iso); there && (used == wanted || strings.HasPrefix(used, wanted+"/")) {
				return vm.Name
			}
		}
	}
	return ""
}

// drives returns the ISO files in the drives of a machine, in the order of the drives; an empty drive is an empty text.
func drives(vm *simulator.VirtualMachine) []string {
	var found []*types.VirtualCdrom
	for _, device := range vm.Config.Hardware.Device {
		if drive, ok := device.(*types.VirtualCdrom); ok {
			found = append(found, drive)
		}
	}
	slices.SortFunc(found, func(a, b *types.VirtualCdrom) int { return int(a.Key - b.Key) })
	isos := []string{}
	for _, drive := range found {
		backing, iso := drive.Backing.(*types.VirtualCdromIsoBackingInfo)
		unplugged := drive.Connectable != nil && !drive.Connectable.StartConnected && !drive.Connectable.Connected
		if !iso || unplugged {
			isos = append(isos, "")
			continue
		}
		isos = append(isos, backing.FileName)
	}
	return isos
}

// bootOrder returns what kinds of devices a machine boots from, in order; empty when nobody has set one.
func bootOrder(vm *simulator.VirtualMachine) []string {
	order := []string{}
	if vm.Config.BootOptions == nil {
		return order
	}
	for _, device := range vm.Config.BootOptions.BootOrder {
		kind := ""
		switch device.(type) {
		case *types.VirtualMachineBootOptionsBootableDiskDevice:
			kind = "disk"
		case *types.VirtualMachineBootOptionsBootableCdromDevice:
			kind = "cdrom"
		}
		if kind != "" && !slices.Contains(order, kind) {
			order = append(order, kind)
		}
	}
	return order
}

// checkBootOrder refuses a boot order with a device that the machine does not have.
func (s *site) checkBootOrder(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) *failure {
	if vm == nil || spec.BootOptions == nil {
		return nil
	}
	devices := object.VirtualDeviceList(vm.Config.Hardware.Device)
	for _, device := range spec.BootOptions.BootOrder {
		if disk, ok := device.(*types.VirtualMachineBootOptionsBootableDiskDevice); ok && devices.FindByKey(disk.DeviceKey) == nil {
			return of(&types.InvalidArgument{InvalidProperty: "configSpec.bootOptions.bootOrder"})
		}
	}
	return nil
}
