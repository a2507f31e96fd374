package main

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// reading lists how the names of methods begin that change nothing.
var reading = []string{
	"Retrieve", "Continue", "Query", "Find", "Fetch", "Has", "Get", "List", "Check", "Current", "Wait", "Cancel", "Login",
	"Logout", "SessionIsActive", "CreateFilter", "CreatePropertyCollector", "CreateContainerView", "CreateListView",
	"CreateInventoryView", "CreateCollectorFor", "DestroyProperty", "DestroyView", "ModifyListView", "ResetListView",
	"ReadNext", "ReadPrevious", "RewindCollector", "ResetCollector", "DestroyCollector", "SetCollectorPageSize", "Pbm",
	"AcquireCloneTicket", "CloneSession", "Recommend", "ValidateMigration", "RefreshDatastoreStorageInfo", "UpdateProgress",
	"SearchDatastore", "RefreshStorageInfo", "LookupDvPortGroup",
}

// needed names the privilege that a method asks for on the object that it is called on.
var needed = map[string]string{
	"CreateVM_Task":                           "VirtualMachine.Inventory.Create",
	"RegisterVM_Task":                         "VirtualMachine.Inventory.Register",
	"CreateFolder":                            "Folder.Create",
	"MoveIntoFolder_Task":                     "Folder.Move",
	"PowerOnVM_Task":                          "VirtualMachine.Interact.PowerOn",
	"PowerOffVM_Task":                         "VirtualMachine.Interact.PowerOff",
	"ShutdownGuest":                           "VirtualMachine.Interact.PowerOff",
	"ResetVM_Task":                            "VirtualMachine.Interact.Reset",
	"RebootGuest":                             "VirtualMachine.Interact.Reset",
	"SuspendVM_Task":                          "VirtualMachine.Interact.Suspend",
	"CreateSnapshot_Task":                     "VirtualMachine.State.CreateSnapshot",
	"CreateSnapshotEx_Task":                   "VirtualMachine.State.CreateSnapshot",
	"RemoveSnapshot_Task":                     "VirtualMachine.State.RemoveSnapshot",
	"RemoveAllSnapshots_Task":                 "VirtualMachine.State.RemoveSnapshot",
	"RevertToSnapshot_Task":                   "VirtualMachine.State.RevertToSnapshot",
	"MarkAsTemplate":                          "VirtualMachine.Provisioning.MarkAsTemplate",
	"MarkAsVirtualMachine":                    "VirtualMachine.Provisioning.MarkAsVM",
	"RelocateVM_Task":                         "Resource.ColdMigrate",
	"MigrateVM_Task":                          "Resource.HotMigrate",
	"UnregisterVM":                            "VirtualMachine.Inventory.Unregister",
	"ReconfigureComputeResource_Task":         "Host.Inventory.EditCluster",
	"AddCustomFieldDef":                       "Global.ManageCustomFields",
	"RemoveCustomFieldDef":                    "Global.ManageCustomFields",
	"SetField":                                "Global.SetCustomField",
	"SetCustomValue":                          "Global.SetCustomField",
	"CreateResourcePool":                      "Resource.CreatePool",
	"UpgradeVM_Task":                          "VirtualMachine.Config.UpgradeVirtualHardware",
	"ApplyStorageDrsRecommendation_Task":      "Datastore.AllocateSpace",
	"ApplyStorageDrsRecommendationToPod_Task": "Datastore.AllocateSpace",
}

type demand struct {
	on        types.ManagedObjectReference
	privilege string
}

// guard returns the fault for a user who may not do what a call asks for.
func (s *site) guard(ctx *simulator.Context, call *simulator.Method) types.BaseMethodFault {
	for _, start := range reading {
		if strings.HasPrefix(call.Name, start) {
			return nil
		}
	}
	for _, d := range s.demands(ctx, call) {
		if !s.may(ctx.Session.UserName, d.privilege, d.on) || s.faults.denied(call.Name, s.nameOf(call.This)) {
			on := d.on
			return &types.NoPermission{Object: &on, PrivilegeId: d.privilege}
		}
	}
	return nil
}

func (s *site) demands(ctx *simulator.Context, call *simulator.Method) []demand {
	on := call.This
	switch req := call.Body.(type) {
	case *types.CloneVM_Task:
		return s.cloneDemands(on, req)
	case *types.ReconfigVM_Task:
		var found []demand
		for _, privilege := range specPrivileges(s.vm(on), &req.Spec) {
			found = append(found, demand{on, privilege})
		}
		return found
	case *types.AcquireGenericServiceTicket:
		return s.transferDemands(on, req)
	case *types.DeleteDatastoreFile_Task:
		return s.fileDemands(on, req.Name)
	case *types.MakeDirectory:
		return s.fileDemands(on, req.Name)
	case *types.Destroy_Task:
		if on.Type == "VirtualMachine" {
			return []demand{{on, "VirtualMachine.Inventory.Delete"}}
		}
		return []demand{{on, on.Type + ".Delete"}}
	case *types.Rename_Task:
		if on.Type == "VirtualMachine" {
			return []demand{{on, "VirtualMachine.Config.Rename"}}
		}
		return []demand{{on, on.Type + ".Rename"}}
	}
	if privilege, ok := needed[call.Name]; ok {
		return []demand{{on, privilege}}
	}
	return []demand{{on, "System.Anonymous"}}
}

func (s *site) cloneDemands(on types.ManagedObjectReference, req *types.CloneVM_Task) []demand {
	first := "VirtualMachine.Provisioning.Clone"
	if vm := s.vm(on); vm != nil && vm.Config.Template {
		first = "VirtualMachine.Provisioning.DeployTemplate"
	}
	found := []demand{{on, first}, {req.Folder, "VirtualMachine.Inventory.CreateFromExisting"}}
	if pool := req.Spec.Location.Pool; pool != nil {
		found = append(found, demand{*pool, "Resource.AssignVMToPool"})
	}
	if datastore := req.Spec.Location.Datastore; datastore != nil {
		found = append(found, demand{*datastore, "Datastore.AllocateSpace"})
	}
	return found
}

func specPrivileges(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) []string {
	const config = "VirtualMachine.Config."
	var found []string
	add := func(asked bool, name string) {
		if asked {
			found = append(found, config+name)
		}
	}
	if vm != nil && vm.Config != nil {
		add(spec.NumCPUs != 0 && spec.NumCPUs != vm.Config.Hardware.NumCPU, "CPUCount")
		add(spec.MemoryMB != 0 && spec.MemoryMB != int64(vm.Config.Hardware.MemoryMB), "Memory")
		add(spec.Name != "" && spec.Name != vm.Name, "Rename")
	}
	add(len(spec.ExtraConfig) > 0, "AdvancedConfig")
	for _, change := range spec.DeviceChange {
		c := change.GetVirtualDeviceConfigSpec()
		_, disk := c.Device.(*types.VirtualDisk)
		switch {
		case disk && c.Operation == types.VirtualDeviceConfigSpecOperationAdd:
			add(true, "AddNewDisk")
		case disk && c.Operation == types.VirtualDeviceConfigSpecOperationEdit:
			add(true, "DiskExtend")
		case disk:
			add(true, "RemoveDisk")
		case c.Operation == types.VirtualDeviceConfigSpecOperationEdit:
			add(true, "EditDevice")
		default:
			add(true, "AddRemoveDevice")
		}
	}
	add(len(found) == 0, "Settings")
	return found
}

// may tells whether a user holds a privilege on an object.
func (s *site) may(name, privilege string, on types.ManagedObjectReference) bool {
	switch privilege {
	case "System.View", "System.Read":
		return true
	}
	if s.role(name) != "admin" {
		return false
	}
	return !s.faults.withheld(name, privilege, s.nameOf(on))
}

// authorization answers what each user may, truthfully.
type authorization struct {
	*simulator.AuthorizationManager
	site *site
}

func (a *authorization) HasPrivilegeOnEntities(ctx *simulator.Context, req *types.HasPrivilegeOnEntities) soap.HasFault {
	user := ctx.Session.UserName
	return &methods.HasPrivilegeOnEntitiesBody{Res: &types.HasPrivilegeOnEntitiesResponse{
		Returnval: a.granted(user, req.Entity, req.PrivId),
	}}
}

func (a *authorization) HasUserPrivilegeOnEntities(_ *simulator.Context, req *types.HasUserPrivilegeOnEntities) soap.HasFault {
	return &methods.HasUserPrivilegeOnEntitiesBody{Res: &types.HasUserPrivilegeOnEntitiesResponse{
		Returnval: a.granted(req.UserName, req.Entities, req.PrivId),
	}}
}

func (a *authorization) HasPrivilegeOnEntity(ctx *simulator.Context, req *types.HasPrivilegeOnEntity) soap.HasFault {
	var found []bool
	for _, privilege := range req.PrivId {
		found = append(found, a.site.may(ctx.Session.UserName, privilege, req.Entity))
	}
	return &methods.HasPrivilegeOnEntityBody{Res: &types.HasPrivilegeOnEntityResponse{Returnval: found}}
}

func (a *authorization) FetchUserPrivilegeOnEntities(_ *simulator.Context, req *types.FetchUserPrivilegeOnEntities) soap.HasFault {
	var all []string
	for _, role := range a.RoleList {
		if role.Name == "Admin" {
			all = role.Privilege
		}
	}
	var found []types.UserPrivilegeResult
	for _, on := range req.Entities {
		result := types.UserPrivilegeResult{Entity: on}
		for _, privilege := range append([]string{"System.Anonymous"}, all...) {
			if privilege == "System.Anonymous" || a.site.may(req.UserName, privilege, on) {
				result.Privileges = append(result.Privileges, privilege)
			}
		}
		found = append(found, result)
	}
	return &methods.FetchUserPrivilegeOnEntitiesBody{Res: &types.FetchUserPrivilegeOnEntitiesResponse{Returnval: found}}
}

func (a *authorization) granted(
	name string, entities []types.ManagedObjectReference, privileges []string,
) []types.EntityPrivilege {
	var found []types.EntityPrivilege
	for _, on := range entities {
		one := types.EntityPrivilege{Entity: on}
		for _, privilege := range privileges {
			one.PrivAvailability = append(one.PrivAvailability, types.PrivilegeAvailability{
				PrivId: privilege, IsGranted: a.site.may(name, privilege, on),
			})
		}
		found = append(found, one)
	}
	return found
}
