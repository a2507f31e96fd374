package main

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// web is what we add around the simulator's HTTP: who is logged in, silence, and words for its faults.
type web struct {
	mu       sync.Mutex
	sessions map[string]*login
	rest     map[string]string // REST session -> user
	dropped  map[string]bool   // REST sessions that have ended
	inner    http.Handler      // the simulator's own
}

type login struct {
	registry *simulator.Registry
	gone     chan struct{}
}

const restSession = "vmware-api-session-id"

func newWeb() *web {
	return &web{sessions: map[string]*login{}, rest: map[string]string{}, dropped: map[string]bool{}}
}

func (w *web) register(session *simulator.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sessions[session.Key] == nil {
		w.sessions[session.Key] = &login{session.Registry, make(chan struct{})}
	}
}

// gone returns what is closed when a session ends.
func (w *web) gone(key string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.sessions[key]; known != nil {
		return known.gone
	}
	return nil
}

// forget takes an object out of every session's own view.
func (w *web) forget(ref types.ManagedObjectReference) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, known := range w.sessions {
		if known.registry.Get(ref) != nil {
			known.registry.Remove(&simulator.Context{Map: known.registry}, ref)
		}
	}
}

// dropAll ends every session, REST ones too, and returns the keys of the others.
func (w *web) dropAll() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var keys []string
	for key, known := range w.sessions {
		close(known.gone)
		keys = append(keys, key)
	}
	w.sessions = map[string]*login{}
	for id := range w.rest {
		w.dropped[id] = true
	}
	w.rest = map[string]string{}
	return keys
}

// expireSessions makes every session that is there unknown.
func (s *site) expireSessions() {
	s.web.dropAll()
	view := *s.registry.SessionManager()
	if current, ok := s.own.Session.Get(view.Self).(*simulator.SessionManager); ok {
		for _, one := range current.SessionList {
			s.registry.SessionManager().TerminateSession(s.own, &types.TerminateSession{SessionId: []string{one.Key}})
		}
	}
}

// watchHTTP puts our part in front of the simulator's handler; nobody knows the address yet.
func (s *site) watchHTTP(server *http.Server) {
	inner := server.Handler
	s.web.inner = inner
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for s.faults.silent() {
			// An answer must not come even after the fault is off: the client gave up, or starts again.
			<-r.Context().Done()
			return
		}
		if strings.HasPrefix(r.URL.Path, folderPath) {
			s.serveFolder(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/rest") || strings.HasPrefix(r.URL.Path, "/api") {
			s.serveREST(w, r, inner)
			return
		}
		recorder := &faultRecorder{ResponseWriter: w}
		inner.ServeHTTP(recorder, r)
		recorder.finish()
	})
}

func (s *site) serveREST(w http.ResponseWriter, r *http.Request, inner http.Handler) {
	id := r.Header.Get(restSession)
	if cookie, err := r.Cookie(restSession); err == nil && id == "" {
		id = cookie.Value
	}
	logsIn := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/session") && r.URL.RawQuery == ""
	s.web.mu.Lock()
	user, ended := s.web.rest[id], s.web.dropped[id]
	s.web.mu.Unlock()
	if ended && !logsIn {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if user != "" && s.role(user) != "admin" && changesTags(r) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	body := readAll(r)
	recorder := &sessionRecorder{ResponseWriter: w, status: http.StatusOK}
	inner.ServeHTTP(recorder, r)
	if !logsIn {
		if recorder.status < 400 {
			s.note(r, body, recorder.body.Bytes())
		}
		return
	}
	name, _, _ := r.BasicAuth()
	if found := sessionID.FindSubmatch(recorder.body.Bytes()); found != nil {
		s.web.mu.Lock()
		s.web.rest[string(found[1])] = name
		s.web.mu.Unlock()
	}
}

func changesTags(r *http.Request) bool {
	if r.Method == http.MethodPatch || (r.Method == http.MethodDelete && !strings.HasSuffix(r.URL.Path, "/session")) {
		return true
	}
	action := r.URL.Query().Get("~action")
	return r.Method == http.MethodPost && !strings.HasPrefix(action, "list") && action != "get"
}

var sessionID = regexp.MustCompile(`([0-9a-f]{8}-[0-9a-f-]{27})`)

type sessionRecorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *sessionRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *sessionRecorder) Write(text []byte) (int, error) {
	r.body.Write(text)
	return r.ResponseWriter.Write(text)
}

// faultRecorder holds back the answer of a call that failed, and puts words where the simulator left none.
type faultRecorder struct {
	http.ResponseWriter
	failed bool
	body   bytes.Buffer
}

func (r *faultRecorder) WriteHeader(status int) {
	if r.failed = status == http.StatusInternalServerError; !r.failed {
		r.ResponseWriter.WriteHeader(status)
	}
}

func (r *faultRecorder) Write(text []byte) (int, error) {
	if r.failed {
		return r.body.Write(text)
	}
	return r.ResponseWriter.Write(text)
}

var (
	emptyWords = []byte("<faultstring></faultstring>")
	faultKind  = regexp.MustCompile(`xsi:type="(\w+)"`)
	privilege  = regexp.MustCompile(`<privilegeId>([\w.]+)</privilegeId>`)
)

func (r *faultRecorder) finish() {
	if !r.failed {
		return
	}
	text := r.body.Bytes()
	if kind := faultKind.FindSubmatch(text); kind != nil && bytes.Contains(text, emptyWords) {
		said := "The operation failed: " + string(kind[1])
		switch string(kind[1]) {
		case "NoPermission":
			said = "Permission to perform this operation was denied."
			if found := privilege.FindSubmatch(text); found != nil {
				said += " You do not hold privilege " + string(found[1]) + "."
			}
		case "NotAuthenticated":
			said = "The session is not authenticated."
		}
		text = bytes.Replace(text, emptyWords, []byte("<faultstring>"+said+"</faultstring>"), 1)
	}
	r.ResponseWriter.WriteHeader(http.StatusInternalServerError)
	_, _ = r.ResponseWriter.Write(text)
}
