package main

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// folder is a folder of the inventory; most of its work is the simulator's.
type folder struct {
	*simulator.Folder
	site *site
}

func hexPairs(bytes []byte) string {
	var pairs []string
	for _, b := range bytes {
		pairs = append(pairs, fmt.Sprintf("%02x", b))
	}
	return strings.Join(pairs, ":")
}

func (f *folder) CreateVMTask(ctx *simulator.Context, req *types.CreateVM_Task) soap.HasFault {
	ref := f.site.start(ctx, f, "createVM", func(bg *simulator.Context) (types.AnyType, *failure) {
		result, problem := f.site.alone(func() (types.AnyType, *failure) { return f.createVM(bg, req) })
		f.site.countSpace()
		return result, problem
	})
	return &methods.CreateVM_TaskBody{Res: &types.CreateVM_TaskResponse{Returnval: ref}}
}

func (f *folder) createVM(bg *simulator.Context, req *types.CreateVM_Task) (types.AnyType, *failure) {
	s, spec := f.site, &req.Config
	if problem := s.freeName(spec.Name, f.Self); problem != nil {
		return nil, problem
	}
	if spec.Files == nil || spec.Files.VmPathName == "" {
		return nil, of(&types.InvalidArgument{InvalidProperty: "config.files.vmPathName"})
	}
	name := strings.TrimPrefix(strings.SplitN(spec.Files.VmPathName, "]", 2)[0], "[")
	datastore := s.byName("Datastore", name)
	if datastore == nil {
		return nil, failed(&types.InvalidDatastorePath{DatastorePath: spec.Files.VmPathName},
			"Invalid datastore path '%s'.", spec.Files.VmPathName)
	}
	host, problem := s.place(req.Pool, req.Host, datastore.Reference())
	if problem != nil {
		return nil, problem
	}
	if problem := s.checkSpec(nil, spec); problem != nil {
		return nil, problem
	}
	req.Host = host
	if spec.Version == "" {
		spec.Version = hardwareVersion // the default of the cluster, not the simulator's own
	}
	if spec.Uuid == "" {
		spec.Uuid = uuid.NewString()
	}
	if spec.InstanceUuid == "" {
		spec.InstanceUuid = uuid.NewString()
	}
	body := f.Folder.CreateVMTask(bg, req).(*methods.CreateVM_TaskBody)
	result, problem := s.inner(bg, body.Res.Returnval)
	if problem != nil {
		return nil, problem
	}
	vm := s.vm(result.(types.ManagedObjectReference))
	bg.AutoUpdate(vm, func() {
		applyRest(vm, spec)
		setTools(vm, false) // nothing is installed on a blank disk
	})
	return result, nil
}

// DestroyTask removes a folder with all that is in it; a machine that is on stops it.
func (f *folder) DestroyTask(ctx *simulator.Context, req *types.Destroy_Task) soap.HasFault {
	ref := f.site.start(ctx, f, "destroy", func(bg *simulator.Context) (types.AnyType, *failure) {
		for _, child := range append([]types.ManagedObjectReference(nil), f.ChildEntity...) {
			if vm := f.site.vm(child); vm != nil {
				if problem := (&machine{vm, f.site}).destroy(bg); problem != nil {
					return nil, problem
				}
			}
		}
		return f.site.alone(func() (types.AnyType, *failure) {
			body := f.Folder.DestroyTask(bg, req).(*methods.Destroy_TaskBody)
			return f.site.inner(bg, body.Res.Returnval)
		})
	})
	return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: ref}}
}

// MoveIntoFolderTask moves machines and folders; names stay unique in a folder.
func (f *folder) MoveIntoFolderTask(ctx *simulator.Context, req *types.MoveIntoFolder_Task) soap.HasFault {
	ref := f.site.start(ctx, f, "moveIntoFolder", func(bg *simulator.Context) (types.AnyType, *failure) {
		return f.site.alone(func() (types.AnyType, *failure) {
			for _, moved := range req.List {
				if problem := f.site.freeName(f.site.nameOf(moved), f.Self); problem != nil {
					return nil, problem
				}
			}
			body := f.Folder.MoveIntoFolderTask(bg, req).(*methods.MoveIntoFolder_TaskBody)
			return f.site.inner(bg, body.Res.Returnval)
		})
	})
	return &methods.MoveIntoFolder_TaskBody{Res: &types.MoveIntoFolder_TaskResponse{Returnval: ref}}
}

// CreateFolder keeps the state; the simulator does the work.
func (f *folder) CreateFolder(ctx *simulator.Context, req *types.CreateFolder) soap.HasFault {
	body := f.Folder.CreateFolder(ctx, req).(*methods.CreateFolderBody)
	if body.Fault_ != nil {
		body.Fault_ = of(body.Fault_.VimFault().(types.BaseMethodFault)).refuse()
		return body
	}
	go func() { _ = f.site.save() }()
	return body
}
