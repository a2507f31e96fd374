package main

import (
	"fmt"
	"log"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// failure is why a task or a call failed: vCenter's fault, and its words for a person.
type failure struct {
	fault   types.BaseMethodFault
	message string
}

func failed(fault types.BaseMethodFault, format string, values ...any) *failure {
	return &failure{fault, fmt.Sprintf(format, values...)}
}

type work func(*simulator.Context) (types.AnyType, *failure)

// start runs work as a task, and returns the task at once.
//
// Unlike the simulator's own, it holds no lock while it waits: the object can be read meanwhile, and a second task on the
// same template does not wait for the first.
func (s *site) start(ctx *simulator.Context, on mo.Reference, method string, run work) types.ManagedObjectReference {
	task := simulator.CreateTask(on, method+"Task", nil)
	task.Self = types.ManagedObjectReference{Type: "Task", Value: fmt.Sprintf("task-%d", s.tasks.Add(1))}
	task.Info.Key, task.Info.Task = task.Self.Value, task.Self
	if _, ok := on.(mo.Entity); !ok {
		root := s.model.ServiceContent.RootFolder
		task.Info.Entity = &root
	}
	task.Info.EntityName = s.nameOf(on.Reference())
	task.Info.Reason = &types.TaskReasonUser{UserName: ctx.Session.UserName}
	task.Info.State = types.TaskInfoStateRunning
	now := time.Now()
	task.Info.StartTime = &now
	name := task.Info.Name
	ctx.Map.Put(task)
	// Decided in the order of the calls, whatever the order in which the tasks are run.
	turn := s.faults.turn(name)
	bg := background(ctx)
	go func() {
		turn.wait()
		result, problem := s.attempt(bg, name, on, run)
		changes := []types.PropertyChange{{Name: "info.completeTime", Val: time.Now()}}
		if problem != nil {
			changes = append(changes, types.PropertyChange{Name: "info.error", Val: types.LocalizedMethodFault{
				Fault: problem.fault, LocalizedMessage: problem.message,
			}})
			changes = append(changes, types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError})
		} else {
			changes = append(changes, types.PropertyChange{Name: "info.result", Val: result})
			changes = append(changes, types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess})
		}
		bg.Map.AtomicUpdate(bg, task, changes)
		turn.done()
		if err := s.save(); err != nil {
			log.Printf("state: %v", err)
		}
	}()
	return task.Self
}

func (s *site) attempt(bg *simulator.Context, name string, on mo.Reference, run work) (result types.AnyType, problem *failure) {
	defer func() {
		if said := recover(); said != nil {
			log.Printf("%s of %s: %v", name, on.Reference(), said)
			problem = failed(&types.SystemError{Reason: fmt.Sprint(said)}, "A general system error occurred: %v", said)
		}
	}()
	if problem := s.faults.task(name, s.nameOf(on.Reference())); problem != nil {
		return nil, problem
	}
	return run(bg)
}

// inner waits for a task of the simulator's own and takes it off the list; only called by one who has the hands.
func (s *site) inner(bg *simulator.Context, ref types.ManagedObjectReference) (types.AnyType, *failure) {
	task := bg.Map.Get(ref).(*simulator.Task)
	task.Wait()
	defer bg.Map.Remove(bg, ref)
	if task.Info.Error != nil {
		return nil, failed(task.Info.Error.Fault, "%s", words(task.Info.Error.Fault))
	}
	return task.Info.Result, nil
}

// alone runs a change of the inventory while nobody else changes it.
func (s *site) alone(change func() (types.AnyType, *failure)) (types.AnyType, *failure) {
	s.hands.Lock()
	defer s.hands.Unlock()
	return change()
}
