package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/vmware/govmomi/pbm/simulator" // storage policies
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// site is the vCenter with all that it holds.
type site struct {
	options  options
	address  string // what is listened on
	users    []user
	model    *simulator.Model
	registry *simulator.Registry
	own      *simulator.Context // our own hand in the inventory, outside of any session

	saving   sync.Mutex
	hands    sync.Mutex // one change of the inventory at a time, as the simulator's locks are taken in no fixed order
	wrapping sync.Mutex
	tasks    atomic.Int64
	changes  *watcher
	faults   *faults
	tickets  *tickets
	lab      *lab
	web      *web
	journal  journal

	mu      sync.Mutex
	busy    map[types.ManagedObjectReference]string    // machines that a task is at work on
	rested  map[types.ManagedObjectReference]time.Time // when the last task on a machine ended
	origins map[string]string                          // BIOS uuid -> name of the template
	base    map[string]types.ManagedObjectReference    // path -> what every start makes
}

func newSite(o options, known []user) (*site, error) {
	s := &site{
		options: o,
		users:   known,
		model:   &simulator.Model{ServiceContent: vpx.ServiceContent, RootFolder: vpx.RootFolder},
		faults:  newFaults(),
		web:     newWeb(),
		busy:    map[types.ManagedObjectReference]string{},
		rested:  map[types.ManagedObjectReference]time.Time{},
		origins: map[string]string{},
	}
	s.tasks.Store(1000)
	if err := s.model.Create(); err != nil {
		return nil, err
	}
	s.own = s.model.Service.Context
	s.registry = s.own.Map
	s.registry.SessionManager().ValidLogin = func(req *types.Login) bool {
		return s.userOf(req.UserName, req.Password) != nil
	}
	if !o.noLab {
		s.lab = newLab(o.lab)
	}
	s.changes = newWatcher(s)
	s.tickets = newTickets(s)
	s.registry.AddHandler(s.changes)
	if err := s.makeInventory(); err != nil {
		return nil, err
	}
	return s, nil
}

// user is somebody who may log in; a reader may change nothing.
type user struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

func loadUsers(path string) ([]user, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found []user
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(found) == 0 || found[0].Role != "admin" {
		return nil, fmt.Errorf("%s: the first user must have the role admin", path)
	}
	return found, nil
}

func (s *site) userOf(name, password string) *user {
	for i := range s.users {
		if s.users[i].Name == name && s.users[i].Password == password {
			return &s.users[i]
		}
	}
	return nil
}

func (s *site) role(name string) string {
	for _, known := range s.users {
		if known.Name == name {
			return known.Role
		}
	}
	return "reader"
}

// background returns a context of its own for work that outlives the request.
func background(ctx *simulator.Context) *simulator.Context {
	own := *ctx
	return &own
}

func (s *site) vm(ref types.ManagedObjectReference) *simulator.VirtualMachine {
	vm, _ := s.registry.Get(ref).(*simulator.VirtualMachine)
	return vm
}

func (s *site) vms() []*simulator.VirtualMachine {
	var found []*simulator.VirtualMachine
	for _, item := range s.registry.All("VirtualMachine") {
		if vm, ok := item.(*simulator.VirtualMachine); ok {
			found = append(found, vm)
		}
	}
	return found
}

func (s *site) nameOf(ref types.ManagedObjectReference) string {
	if item, ok := s.registry.Get(ref).(mo.Entity); ok {
		return entityName(item)
	}
	return ref.Value
}

// entityName returns an object's name; some types keep it in a field of their own.
func entityName(item mo.Entity) string {
	switch x := item.(type) {
	case *mo.Network:
		return x.Name
	case *simulator.DistributedVirtualPortgroup:
		return x.Name
	case *simulator.DistributedVirtualSwitch:
		return x.Name
	}
	return item.Entity().Name
}

// take marks a machine as being worked on, or says why it cannot be.
func (s *site) take(ref types.ManagedObjectReference, work string) *failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.busy[ref]; taken {
		return failed(&types.TaskInProgress{Task: s.taskOn(ref)}, "The operation is not allowed in the current state: another task is already in progress.")
	}
	s.busy[ref] = work
	return nil
}

// taskOn returns the running task on an object.
func (s *site) taskOn(ref types.ManagedObjectReference) types.ManagedObjectReference {
	found := types.ManagedObjectReference{Type: "Task", Value: "task-0"}
	for _, item := range s.registry.AllReference("Task") {
		task, ok := item.(*simulator.Task)
		if ok && task.Info.Entity != nil && *task.Info.Entity == ref && task.Info.CompleteTime == nil {
			found = task.Self
		}
	}
	return found
}

func (s *site) release(ref types.ManagedObjectReference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, ref)
	s.rested[ref] = time.Now()
}

// idleSince tells whether nothing was done to a machine since a time.
func (s *site) idleSince(ref types.ManagedObjectReference, when time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, taken := s.busy[ref]
	return !taken && s.rested[ref].Before(when)
}
