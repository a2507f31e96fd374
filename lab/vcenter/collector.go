package main

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	gather    = 20 * time.Millisecond // for changes that come together
	lookAgain = time.Second           // some changes of the simulator's tell nobody
	keep      = 200                   // versions that a collector remembers
)

// collector answers several waiters on one property collector, each by the version that it has seen.
//
// The simulator's own gives each change to whichever waiter comes first: of two tasks that are waited for in one session,
// one is never seen to end.
type collector struct {
	*simulator.PropertyCollector
	site *site

	mu       sync.Mutex
	filters  []*filter
	versions map[int]seen
	version  int
	cancel   chan struct{}
}

// seen is what a version has told: per filter and object, a print of each property.
type seen map[*filter]map[types.ManagedObjectReference]map[string]string

type filter struct {
	mo.PropertyFilter
	owner *collector
}

func newCollector(s *site, pc *simulator.PropertyCollector) *collector {
	return &collector{PropertyCollector: pc, site: s, versions: map[int]seen{}, cancel: make(chan struct{})}
}

func (c *collector) CreatePropertyCollector(ctx *simulator.Context, _ *types.CreatePropertyCollector) soap.HasFault {
	pc := &simulator.PropertyCollector{}
	pc.Self.Type = "PropertyCollector"
	made := ctx.Session.Put(newCollector(c.site, pc)).Reference()
	return &methods.CreatePropertyCollectorBody{Res: &types.CreatePropertyCollectorResponse{Returnval: made}}
}

func (c *collector) DestroyPropertyCollector(ctx *simulator.Context, req *types.DestroyPropertyCollector) soap.HasFault {
	c.CancelWaitForUpdates(nil)
	c.mu.Lock()
	for _, f := range c.filters {
		ctx.Session.Remove(ctx, f.Self)
	}
	c.filters = nil
	c.mu.Unlock()
	ctx.Session.Remove(ctx, req.This)
	return &methods.DestroyPropertyCollectorBody{Res: new(types.DestroyPropertyCollectorResponse)}
}

func (c *collector) CreateFilter(ctx *simulator.Context, req *types.CreateFilter) soap.HasFault {
	f := &filter{owner: c}
	f.Self.Type = "PropertyFilter"
	f.Spec, f.PartialUpdates = req.Spec, req.PartialUpdates
	if _, fault := c.collect(ctx, f); fault != nil {
		return &methods.CreateFilterBody{Fault_: fault}
	}
	ctx.Session.Put(f)
	c.mu.Lock()
	c.filters = append(c.filters, f)
	c.mu.Unlock()
	return &methods.CreateFilterBody{Res: &types.CreateFilterResponse{Returnval: f.Self}}
}

func (f *filter) DestroyPropertyFilter(ctx *simulator.Context, req *types.DestroyPropertyFilter) soap.HasFault {
	c := f.owner
	c.mu.Lock()
	var left []*filter
	for _, other := range c.filters {
		if other != f {
			left = append(left, other)
		}
	}
	// What a version has told of it stays: somebody may be comparing with it.
	c.filters = left
	c.mu.Unlock()
	ctx.Session.Remove(ctx, req.This)
	return &methods.DestroyPropertyFilterBody{Res: new(types.DestroyPropertyFilterResponse)}
}

func (c *collector) CancelWaitForUpdates(*types.CancelWaitForUpdates) soap.HasFault {
	c.mu.Lock()
	close(c.cancel)
	c.cancel = make(chan struct{})
	c.mu.Unlock()
	return &methods.CancelWaitForUpdatesBody{Res: new(types.CancelWaitForUpdatesResponse)}
}

func (c *collector) WaitForUpdates(ctx *simulator.Context, req *types.WaitForUpdates) soap.HasFault {
	set, fault := c.wait(ctx, req.Version, nil)
	if fault != nil {
		return &methods.WaitForUpdatesBody{Fault_: fault}
	}
	return &methods.WaitForUpdatesBody{Res: &types.WaitForUpdatesResponse{Returnval: *set}}
}

func (c *collector) WaitForUpdatesEx(ctx *simulator.Context, req *types.WaitForUpdatesEx) soap.HasFault {
	var seconds *int32
	if req.Options != nil {
		seconds = req.Options.MaxWaitSeconds
	}
	set, fault := c.wait(ctx, req.Version, seconds)
	if fault != nil {
		return &methods.WaitForUpdatesExBody{Fault_: fault}
	}
	return &methods.WaitForUpdatesExBody{Res: &types.WaitForUpdatesExResponse{Returnval: set}}
}

// wait returns what changed since a version, as soon as something has; nil after `seconds`.
func (c *collector) wait(ctx *simulator.Context, from string, seconds *int32) (*types.UpdateSet, *soap.Fault) {
	var limit <-chan time.Time
	if seconds != nil && *seconds > 0 {
		limit = time.After(time.Duration(*seconds) * time.Second)
	}
	c.mu.Lock()
	cancel := c.cancel
	known, at := c.versions[0], 0
	if from != "" {
		at, _ = strconv.Atoi(from)
		known = c.versions[at]
		if known == nil {
			c.mu.Unlock()
			return nil, of(&types.InvalidCollectorVersion{}).refuse()
		}
	}
	c.mu.Unlock()
	for {
		news := c.site.changes.next()
		if set := c.since(ctx, known); set != nil {
			return set, nil
		}
		if from == "" {
			return c.keepVersion(&types.UpdateSet{}, seen{}), nil
		}
		if seconds != nil && *seconds == 0 {
			return nil, nil
		}
		select {
		case <-news:
			time.Sleep(gather)
		case <-time.After(lookAgain):
		case <-limit:
			return nil, nil
		case <-cancel:
			return nil, of(&types.RequestCanceled{}).refuse()
		case <-c.site.web.gone(ctx.Session.Key):
			return nil, of(&types.NotAuthenticated{NoPermission: types.NoPermission{PrivilegeId: "System.View"}}).refuse()
		}
	}
}

// since compares the present with what a version has told; nil when nothing changed.
func (c *collector) since(ctx *simulator.Context, known seen) *types.UpdateSet {
	c.mu.Lock()
	filters := append([]*filter(nil), c.filters...)
	c.mu.Unlock()
	set, now := &types.UpdateSet{}, seen{}
	for _, f := range filters {
		objects, fault := c.collect(ctx, f)
		if fault != nil {
			objects = nil
		}
		update := types.PropertyFilterUpdate{Filter: f.Self}
		now[f] = map[types.ManagedObjectReference]map[string]string{}
		for _, object := range objects {
			prints := map[string]string{}
			before, known := known[f][object.Obj]
			change := types.ObjectUpdate{Obj: object.Obj, Kind: types.ObjectUpdateKindModify}
			if !known {
				change.Kind = types.ObjectUpdateKindEnter
			}
			for _, p := range object.PropSet {
				prints[p.Name] = fingerprint(p.Val)
				if old, ok := before[p.Name]; !ok || old != prints[p.Name] {
					op := types.PropertyChangeOpAssign
					change.ChangeSet = append(change.ChangeSet, types.PropertyChange{Name: p.Name, Op: op, Val: p.Val})
				}
			}
			now[f][object.Obj] = prints
			if len(change.ChangeSet) > 0 || !known {
				update.ObjectSet = append(update.ObjectSet, change)
			}
		}
		for ref := range known[f] {
			if _, still := now[f][ref]; !still {
				update.ObjectSet = append(update.ObjectSet, types.ObjectUpdate{Obj: ref, Kind: types.ObjectUpdateKindLeave})
			}
		}
		if len(update.ObjectSet) > 0 {
			set.FilterSet = append(set.FilterSet, update)
		}
	}
	if len(set.FilterSet) == 0 {
		return nil
	}
	return c.keepVersion(set, now)
}

func (c *collector) keepVersion(set *types.UpdateSet, now seen) *types.UpdateSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.versions[c.version] = now
	delete(c.versions, c.version-keep)
	set.Version = strconv.Itoa(c.version)
	return set
}

func (c *collector) collect(ctx *simulator.Context, f *filter) ([]types.ObjectContent, *soap.Fault) {
	spec := []types.PropertyFilterSpec{f.Spec}
	body := c.PropertyCollector.RetrievePropertiesEx(ctx, &types.RetrievePropertiesEx{SpecSet: spec})
	if fault := body.Fault(); fault != nil {
		return nil, fault
	}
	found := body.(*methods.RetrievePropertiesExBody).Res.Returnval
	if found == nil {
		return nil, nil
	}
	return found.Objects, nil
}

// fingerprint tells two values apart; the values themselves change under our hands.
func fingerprint(value any) string {
	var text bytes.Buffer
	if err := types.NewJSONEncoder(&text).Encode(value); err != nil {
		return fmt.Sprintf("%+v", value)
	}
	return text.String()
}
