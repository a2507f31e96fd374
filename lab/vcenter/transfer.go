package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	folderPath    = "/folder/"
	ticketCookie  = "vmware_cgi_ticket"
	sessionCookie = "vmware_soap_session"
	ticketTime    = 2 * time.Minute
)

// tickets gives out what is good for one request for a file of a datastore, without a login.
type tickets struct {
	site *site
	self types.ManagedObjectReference
	mu   sync.Mutex
	out  map[string]ticket
}

type ticket struct {
	method string
	place  string
	until  time.Time
}

func newTickets(s *site) *tickets {
	self := types.ManagedObjectReference{Type: "Tickets", Value: "lab"}
	return &tickets{site: s, self: self, out: map[string]ticket{}}
}

func (t *tickets) Reference() types.ManagedObjectReference { return t.self }

// AcquireGenericServiceTicket answers for the session manager, whose own tickets nobody looks at.
func (t *tickets) AcquireGenericServiceTicket(
	_ *simulator.Context, req *types.AcquireGenericServiceTicket,
) soap.HasFault {
	body := &methods.AcquireGenericServiceTicketBody{}
	method, place, problem := t.site.wanted(req)
	if problem != nil {
		body.Fault_ = problem.refuse()
		return body
	}
	id := uuid.NewString()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out[id] = ticket{method, place, time.Now().Add(ticketTime)}
	body.Res = &types.AcquireGenericServiceTicketResponse{Returnval: types.SessionManagerGenericServiceTicket{Id: id}}
	return body
}

// wanted returns method and file of the request that a ticket is for.
func (s *site) wanted(req *types.AcquireGenericServiceTicket) (string, string, *failure) {
	invalid := of(&types.InvalidArgument{InvalidProperty: "spec"})
	spec, ok := req.Spec.(*types.SessionManagerHttpServiceRequestSpec)
	if !ok {
		return "", "", invalid
	}
	address, err := url.Parse(spec.Url)
	if err != nil {
		return "", "", invalid
	}
	_, place, found := s.asked(address)
	if !found {
		return "", "", invalid
	}
	method := strings.ToUpper(strings.TrimPrefix(spec.Method, "http"))
	if method == "" {
		method = http.MethodGet
	}
	return method, place, nil
}

// redeem uses a ticket up, and tells whether it was for this request.
func (t *tickets) redeem(id, method, place string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, known := t.out[id]
	delete(t.out, id)
	return known && one.method == method && one.place == place && time.Now().Before(one.until)
}

// asked returns the datastore and the place of the file that an address names.
func (s *site) asked(address *url.URL) (*simulator.Datastore, string, bool) {
	query := address.Query()
	if !strings.HasPrefix(address.Path, folderPath) || strings.Trim(query.Get("dcPath"), "/") != "LAB" {
		return nil, "", false
	}
	datastore, ok := s.byName("Datastore", query.Get("dsName")).(*simulator.Datastore)
	if !ok {
		return nil, "", false
	}
	name := filepath.Clean("/" + strings.TrimPrefix(address.Path, folderPath))
	return datastore, filepath.Join(datastore.Summary.Url, name), true
}

// transferDemands says which privilege a ticket needs: to read a file, or to change it.
func (s *site) transferDemands(on types.ManagedObjectReference, req *types.AcquireGenericServiceTicket) []demand {
	privilege := "Datastore.Browse"
	if spec, ok := req.Spec.(*types.SessionManagerHttpServiceRequestSpec); ok {
		if address, err := url.Parse(spec.Url); err == nil {
			if datastore, _, found := s.asked(address); found {
				on = datastore.Self
			}
		}
		if spec.Method != "" && spec.Method != "httpGet" && spec.Method != "httpHead" {
			privilege = "Datastore.FileManagement"
		}
	}
	return []demand{{on, privilege}}
}

// fileDemands says what a change of a file needs.
func (s *site) fileDemands(on types.ManagedObjectReference, name string) []demand {
	if store := s.byName("Datastore", strings.TrimPrefix(strings.SplitN(name, "]", 2)[0], "[")); store != nil {
		on = store.Reference()
	}
	return []demand{{on, "Datastore.FileManagement"}}
}

// serveFolder moves files to and from the datastores. What is cut off in the middle, or has no space, stays there by half.
func (s *site) serveFolder(w http.ResponseWriter, r *http.Request) {
	datastore, place, found := s.asked(r.URL)
	if !found {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if !s.admitted(r, place) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.Method {
	case http.MethodPut:
		s.receive(w, r, datastore.Name, place)
	case http.MethodDelete:
		s.removeFile(w, fmt.Sprintf("[%s] %s", datastore.Name, strings.TrimPrefix(r.URL.Path, folderPath)), place)
	case http.MethodGet, http.MethodHead:
		info, err := os.Stat(place)
		if err != nil || !info.Mode().IsRegular() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.ServeFile(w, r, place)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// admitted tells whether a request has a ticket for this file, a session, or a login.
func (s *site) admitted(r *http.Request, place string) bool {
	if cookie, err := r.Cookie(ticketCookie); err == nil {
		return s.tickets.redeem(strings.Trim(cookie.Value, `"`), r.Method, place)
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil && s.web.gone(strings.Trim(cookie.Value, `"`)) != nil {
		return true
	}
	name, password, given := r.BasicAuth()
	known := s.userOf(name, password)
	return given && known != nil && (known.Role == "admin" || r.Method == http.MethodGet || r.Method == http.MethodHead)
}

func (s *site) receive(w http.ResponseWriter, r *http.Request, datastore, place string) {
	if info, err := os.Stat(filepath.Dir(place)); err != nil || !info.IsDir() {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, err := os.Stat(place)
	fresh := os.IsNotExist(err)
	out, err := os.Create(place)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer out.Close()
	if s.faults.full(datastore) {
		_, _ = io.CopyN(out, r.Body, max(r.ContentLength/2, 1))
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusInsufficientStorage)
		return
	}
	if _, err := io.Copy(out, r.Body); err != nil {
		return
	}
	if fresh {
		w.WriteHeader(http.StatusCreated)
	}
}

func (s *site) removeFile(w http.ResponseWriter, name, place string) {
	if s.holder(name) != "" {
		w.WriteHeader(http.StatusConflict)
		return
	}
	if err := os.Remove(place); err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
