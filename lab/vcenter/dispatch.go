package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// dispatch looks at every call before the simulator does: may this user, does a fault stand in the way, and is the object
// one of those that we answer for. Such an object is put into the session, where the simulator looks first.
func (s *site) dispatch(ctx *simulator.Context, call *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if ctx.Session == nil || ctx.Session.UserName == "" {
		return nil, nil
	}
	if fault := s.guard(ctx, call); fault != nil {
		return nil, fault
	}
	if call.Name == "AcquireGenericServiceTicket" {
		call.This = s.tickets.self
		return s.tickets, nil
	}
	s.wrapping.Lock()
	defer s.wrapping.Unlock()
	s.web.register(ctx.Session)
	if call.This.Type == "PropertyCollector" {
		if pc, ok := ctx.Session.Get(call.This).(*simulator.PropertyCollector); ok {
			ctx.Session.Registry.Put(newCollector(s, pc))
		}
		return nil, nil
	}
	if ctx.Session.Registry.Get(call.This) != nil {
		return nil, nil
	}
	if ours := s.wrapped(ctx.Map.Get(call.This)); ours != nil {
		// The registry writes to the object itself.
		ctx.WithLock(call.This, func() { ctx.Session.Registry.Put(ours) })
	}
	return nil, nil
}

func (s *site) wrapped(item mo.Reference) mo.Reference {
	switch x := item.(type) {
	case *simulator.VirtualMachine:
		return &machine{x, s}
	case *simulator.Folder:
		return &folder{x, s}
	case *simulator.VirtualMachineSnapshot:
		return &snapshot{x, s}
	case *simulator.AuthorizationManager:
		return &authorization{x, s}
	case *simulator.FileManager:
		return &files{x, s}
	case *simulator.StorageResourceManager:
		return &storage{x, s}
	case *simulator.ClusterComputeResource:
		return &cluster{x, s}
	}
	return nil
}
