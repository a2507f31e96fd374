package main

import (
	"fmt"
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// words says for a person what a fault means, as vCenter does; the simulator leaves it empty.
func words(fault any) string {
	switch f := fault.(type) {
	case *types.NoPermission:
		return fmt.Sprintf("Permission to perform this operation was denied. You do not hold privilege %q.", f.PrivilegeId)
	case *types.NotAuthenticated:
		return "The session is not authenticated."
	case *types.InvalidLogin:
		return "Cannot complete login due to an incorrect user name or password."
	case *types.DuplicateName:
		return fmt.Sprintf("The name '%s' already exists.", f.Name)
	case *types.InvalidPowerState:
		return fmt.Sprintf("The attempted operation cannot be performed in the current state (%s).", f.ExistingState)
	case *types.InvalidArgument:
		return fmt.Sprintf("A specified parameter was not correct: %s", f.InvalidProperty)
	case *types.ManagedObjectNotFound:
		return fmt.Sprintf("The object '%s:%s' has already been deleted or has not been completely created", f.Obj.Type, f.Obj.Value)
	case *types.InvalidDeviceSpec:
		return fmt.Sprintf("Invalid configuration for device '%d'.", f.DeviceIndex)
	case *types.NotSupported:
		return "The operation is not supported on the object."
	case *types.InvalidState:
		return "The operation is not allowed in the current state."
	}
	kind := reflect.TypeOf(fault)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return "The operation failed: " + kind.Name()
}

// refuse returns the fault of a call that is refused at once.
func (f *failure) refuse() *soap.Fault {
	return simulator.Fault(f.message, f.fault)
}

// of returns a failure for a fault, with the usual words.
func of(fault types.BaseMethodFault) *failure {
	return &failure{fault, words(fault)}
}
