package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

const (
	taggingPath = "/rest/com/vmware/cis/tagging/"
	sessionPath = "/rest/com/vmware/cis/session"
	categoryID  = "urn:vmomi:InventoryServiceCategory:8d5f9f6c-51a1-4f0e-9d3a-0c7a5e1f0001:GLOBAL"
	tagPrefix   = "urn:vmomi:InventoryServiceTag:8d5f9f6c-51a1-4f0e-9d3a-0c7a5e1f"
)

// journal keeps every change of tags, to be made again at the next start: the simulator holds them where we cannot look.
type journal struct {
	mu      sync.Mutex
	Entries []entry
}

type entry struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// plainRecorder is an answer that nobody waits for.
type plainRecorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *plainRecorder) Header() http.Header { return r.header }

func (r *plainRecorder) WriteHeader(status int) { r.status = status }

func (r *plainRecorder) Write(text []byte) (int, error) { return r.body.Write(text) }

// ask makes a REST call of our own, past every fault.
func (s *site) ask(session, method, path string, body []byte) (*plainRecorder, error) {
	request, err := http.NewRequest(method, "https://lab"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.RequestURI = path
	request.Header.Set("Content-Type", "application/json")
	if session == "" {
		request.SetBasicAuth(s.users[0].Name, s.users[0].Password)
	} else {
		request.Header.Set(restSession, session)
	}
	recorder := &plainRecorder{header: http.Header{}, status: http.StatusOK}
	s.web.inner.ServeHTTP(recorder, request)
	if recorder.status >= 400 {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, recorder.status, recorder.body.String())
	}
	return recorder, nil
}

// replay makes changes of tags again.
func (s *site) replay(entries []entry) error {
	opened, err := s.ask("", http.MethodPost, sessionPath, nil)
	if err != nil {
		return err
	}
	found := sessionID.FindSubmatch(opened.body.Bytes())
	if found == nil {
		return fmt.Errorf("no REST session: %s", opened.body.String())
	}
	session := string(found[1])
	for _, one := range entries {
		if _, err := s.ask(session, one.Method, one.Path, one.Body); err != nil {
			return err
		}
	}
	_, err = s.ask(session, http.MethodDelete, sessionPath, nil)
	return err
}

// makeTags makes the category and the tags that are there from the start.
func (s *site) makeTags() error {
	spec := func(value map[string]any) json.RawMessage {
		text, _ := json.Marshal(map[string]any{"create_spec": value})
		return text
	}
	entries := []entry{{http.MethodPost, taggingPath + "category", spec(map[string]any{
		"category_id": categoryID, "name": "environment", "cardinality": "SINGLE", "description": "",
		"associable_types": []string{"VirtualMachine"},
	})}}
	for i, name := range []string{"lab", "production"} {
		entries = append(entries, entry{http.MethodPost, taggingPath + "tag", spec(map[string]any{
			"tag_id": fmt.Sprintf("%s%04d:GLOBAL", tagPrefix, i+1), "name": name, "category_id": categoryID, "description": "",
		})})
	}
	return s.replay(entries)
}

// note writes down a change of tags that has succeeded; what was made is to have the same id again.
func (s *site) note(r *http.Request, body []byte, answer []byte) {
	if !strings.HasPrefix(r.URL.Path, taggingPath) || !changesTags(r) {
		return
	}
	made := entry{r.Method, r.URL.RequestURI(), body}
	field := ""
	switch r.URL.Path {
	case taggingPath + "category":
		field = "category_id"
	case taggingPath + "tag":
		field = "tag_id"
	}
	var told struct {
		Value string `json:"value"`
	}
	var asked map[string]map[string]any
	if field != "" && json.Unmarshal(answer, &told) == nil && json.Unmarshal(body, &asked) == nil {
		asked["create_spec"][field] = told.Value
		made.Body, _ = json.Marshal(asked)
	}
	s.journal.mu.Lock()
	s.journal.Entries = append(s.journal.Entries, made)
	s.journal.mu.Unlock()
	_ = s.save()
}

func readAll(r *http.Request) []byte {
	text, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	return text
}
