package main

import (
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// fault is something that goes wrong on purpose, until it is switched off or has happened often enough.
type fault struct {
	Name      string  `json:"name"`      // see catalogue
	Method    string  `json:"method"`    // of which method (PowerOnVM_Task); empty for every one
	Object    string  `json:"object"`    // of which object, by name; empty for every one
	User      string  `json:"user"`      // of which user; empty for every one
	Privilege string  `json:"privilege"` // which privilege is missing
	Seconds   float64 `json:"seconds"`
	Message   string  `json:"message"`
	Order     string  `json:"order"` // of two-at-once: "reversed", or empty for side by side
	Times     int     `json:"times"` // how often; 0 for always
}

// catalogue names every fault and says what is seen of it.
var catalogue = map[string]string{
	"no-privilege":    "a user lacks a privilege (privilege, object, user), or is refused a method (method)",
	"datastore-full":  "a datastore (object) has no space left",
	"slow-task":       "a task (method, object) takes longer (seconds)",
	"failing-task":    "a task (method, object) fails (message)",
	"session-expired": "every session ends at once",
	"two-at-once":     "two tasks (method) wait for each other, then run side by side or in reversed order (order)",
	"silent":          "connections are accepted and nothing is answered",
}

type faults struct {
	mu sync.Mutex
	on []*fault
	// of two-at-once: the tasks that have come
	waiting []*turn
}

func newFaults() *faults { return &faults{} }

func (f *faults) set(one fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = append(f.on, &one)
}

func (f *faults) clear(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var left []*fault
	for _, one := range f.on {
		if name != "" && one.Name != name {
			left = append(left, one)
		}
	}
	f.on = left
	for _, t := range f.waiting {
		t.open()
	}
	f.waiting = nil
}

func (f *faults) active() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []fault{}
	for _, one := range f.on {
		found = append(found, *one)
	}
	return found
}

// find returns the first fault that fits and counts it; it is gone after its last time.
func (f *faults) find(name string, fits func(*fault) bool) *fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, one := range f.on {
		if one.Name != name || !fits(one) {
			continue
		}
		if one.Times > 0 {
			if one.Times--; one.Times == 0 {
				f.on = append(f.on[:i:i], f.on[i+1:]...)
			}
		}
		return one
	}
	return nil
}

func fitsTask(method, object string) func(*fault) bool {
	return func(one *fault) bool {
		return (one.Method == "" || strings.EqualFold(one.Method, method)) && (one.Object == "" || one.Object == object)
	}
}

// task waits and fails as the faults of a task say.
func (f *faults) task(method, object string) *failure {
	if slow := f.find("slow-task", fitsTask(method, object)); slow != nil {
		time.Sleep(time.Duration(slow.Seconds * float64(time.Second)))
	}
	if failing := f.find("failing-task", fitsTask(method, object)); failing != nil {
		message := failing.Message
		if message == "" {
			message = "A general system error occurred: the lab says so"
		}
		return failed(&types.SystemError{Reason: message}, "%s", message)
	}
	return nil
}

// denied tells whether a method is refused by name.
func (f *faults) denied(method, object string) bool {
	return f.find("no-privilege", func(one *fault) bool {
		return one.Method != "" && strings.EqualFold(one.Method, method) && (one.Object == "" || one.Object == object)
	}) != nil
}

func (f *faults) withheld(user, privilege, object string) bool {
	return f.find("no-privilege", func(one *fault) bool {
		return one.Method == "" && (one.Privilege == "" || one.Privilege == privilege) &&
			(one.Object == "" || one.Object == object) && (one.User == "" || one.User == user)
	}) != nil
}

func (f *faults) full(datastore string) bool {
	return f.find("datastore-full", func(one *fault) bool { return one.Object == "" || one.Object == datastore }) != nil
}

func (f *faults) silent() bool {
	return f.find("silent", func(*fault) bool { return true }) != nil
}

// turn says when a task may run, and who waits for its end.
type turn struct {
	mu   sync.Mutex
	may  chan struct{}
	ends chan struct{}
}

func newTurn() *turn { return &turn{may: make(chan struct{}), ends: make(chan struct{})} }

func (t *turn) wait() { <-t.may }

func (t *turn) open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.may:
	default:
		close(t.may)
	}
}

func (t *turn) done() { close(t.ends) }

// turn returns the turn of a new task: at once, or with the second one while two-at-once is on.
func (f *faults) turn(method string) *turn {
	mine := newTurn()
	two := f.find("two-at-once", fitsTask(method, ""))
	if two == nil {
		mine.open()
		return mine
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, mine)
	if len(f.waiting) < 2 {
		return mine
	}
	first := f.waiting[0]
	f.waiting = nil
	mine.open()
	if two.Order != "reversed" {
		first.open()
		return mine
	}
	go func() {
		<-mine.ends
		first.open()
	}()
	return mine
}
