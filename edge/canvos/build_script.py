"""The two scripts of a build that run on by themselves: fetching, and building with a report of what is there afterwards.

A build is long, and so is reading gigabytes: digests are made here, at its end, and judged later. The vendor's script hides
a failure (CanvOS repository, earthly.sh), so each step says its name before it begins, and nothing is taken from its exit
code alone.
"""

from __future__ import annotations

import shlex

from edge.canvos import arg
from edge.canvos.artefacts import BUILD
from edge.canvos.request import BuildRequest, Built, Power
from edge.canvos.tags import number

# Exit codes of the script itself: what failed before the vendor's part began, and that part.
BUNDLE, USER_DATA, NAMES, IMAGES, ISO, INVALID, SPACE, PRIVILEGED = 71, 72, 73, 74, 75, 76, 77, 78
LATE = 124
NO_BUNDLE, OTHER_IMAGE = 70, 79
# From this tag on the vendor's script mounts the login of the registry only where there is one.
_LOGIN_OPTIONAL_SINCE = (4, 6, 24)
# What the builder takes of a bundle: the files in its folder, none below.
_BUNDLE_FILES = "find -L . -maxdepth 1 -type f -name '*.zst'"
_BUNDLE_KEPT = f"{_BUNDLE_FILES} -printf '%P %s %T@\\n' | sort | sha256sum | cut -d' ' -f1"
_SUDO = 'sudo_() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }'


def bundle_lines(bundle: str) -> str:
    """Return what writes the digest of a content bundle, over names and contents of its files, into the job's folder.

    Its fingerprint comes first: what changes while the contents are read is a change.
    """
    if not bundle:
        return ""
    place = shlex.quote(bundle)
    return (
        f'here=$OLDPWD; cd {place} 2>/dev/null && [ -n "$({_BUNDLE_FILES} -print -quit)" ] || '
        f"{{ echo {shlex.quote(f'{bundle} is no folder with .zst files')}; exit {NO_BUNDLE}; }}\n"
        f'{_BUNDLE_KEPT} >"$here/bundle-seen"\n'
        f"{_BUNDLE_FILES} -print0 | sort -z | xargs -0 -r sha256sum | sha256sum | cut -d' ' -f1 >\"$here/bundle\"\n"
    )


def bundle_seen(bundle: str) -> str:
    """Return the script that prints a fingerprint of names, sizes and times in a content bundle: contents take minutes."""
    return f"cd {shlex.quote(bundle)} && {_BUNDLE_KEPT}"


def build_script(request: BuildRequest, folder: str, image: str, *, least_gib: int, terminal: bool) -> str:
    """Return the build in the checkout `folder`: checks, images, then one ISO per kind, each with its user-data and name.

    `image` is the name of the provider image; one that has it already loses it, so that it cannot pass for the new one.
    It leaves `report` in its own folder, however it ends. `least_gib` is the free space that it wants before it begins;
    `terminal` gives the vendor's script one: with a proxy or certificates it runs a command that fails without.
    """
    lines = [
        "set -u",
        "job=$PWD",
        _SUDO,
        f"until=$(( $(date +%s) + {request.seconds} ))",
        f"cd {shlex.quote(folder)} || exit {NAMES}",
        "trap report EXIT",
        _report(request, image),
        _turn(request),
        _limited(request, terminal=terminal),
        _space(least_gib),
        *([] if request.earthly else [_privileged(request)]),
        *_login_lines(request),
        *_bundle_copy(request),
        *_steps(request, image),
        "step done",
    ]
    return "\n".join(lines) + "\n"


def push_script(built: Built, *, earthly: bool) -> str:
    """Return the script that pushes the image of a build, and no other one that has its name by now."""
    return (
        f"{_SUDO}\n"
        f'[ "{_image_id(built.image, earthly)}" = {shlex.quote(built.image_id)} ] || exit {OTHER_IMAGE}\n'
        f"{_docker(earthly)} push {shlex.quote(built.image)}\n"
    )


def _docker(earthly: bool) -> str:
    """Return how Docker is called: an installed Earthly uses that of the login user, the vendor's script that of root."""
    return "docker" if earthly else "sudo_ docker"


def _image_id(image: str, earthly: bool) -> str:
    """Return what the id of an image is in a script, nothing where Docker knows none of this name."""
    return f"$({_docker(earthly)} image inspect --format '{{{{.Id}}}}' {shlex.quote(image)} 2>/dev/null)"


def _report(request: BuildRequest, image: str) -> str:
    """Return the function that writes down what is there: also after a failure, to tell what is missing."""
    names = " ".join(shlex.quote(f"{request.iso_of(power)}.iso") for power in request.user_data)
    return (
        'step() { printf "%s\\n" "$1" >"$job/step"; echo "== $1"; }\n'
        'said() { printf "said %s\\n" "$*" >>"$job/said"; }\n'
        'rm -f "$job/step" "$job/said" "$job/report"\n'
        "report() {\n  code=$?\n"
        # When the builder put a file there: it gives every file one and the same older time. A new owner changes this one.
        f"  times=$(sudo_ find {BUILD} -maxdepth 1 -type f -printf '%C@ %f\\n' 2>/dev/null)\n"
        # Without Earthly everything belongs to root; it must stay readable for the login user.
        f'  [ ! -d {BUILD} ] || sudo_ chown -R "$(id -u):$(id -g)" {BUILD}\n'
        "  {\n"
        '    printf "code %s\\nstep %s\\n" "$code" "$(cat "$job/step" 2>/dev/null)"\n'
        '    cat "$job/said" 2>/dev/null\n'
        '    printf "free %s\\n" "$(df -Pk . | awk \'NR==2 {print $4}\')"\n'
        f"    for f in {names}; do\n"
        f'      [ -f "{BUILD}/$f" ] || continue\n'
        '      put=$(printf "%s\\n" "$times" | awk -v f="$f" \'$2 == f { printf "%d", $1 }\')\n'
        f'      printf "file %s %s %s %s\\n" "$(stat -c \'%s\' -- "{BUILD}/$f")" "${{put:-0}}" "$(sha256sum -- "{BUILD}/$f" | cut -d\' \' -f1)" "$f"\n'
        f'      [ ! -f "{BUILD}/$f.sha256" ] || sed "s/^/sum $f /" "{BUILD}/$f.sha256"\n'
        "    done\n"
        f"    {_docker(request.earthly)} images --format '{{{{.Repository}}}}:{{{{.Tag}}}}' >\"$job/images\""
        " && sed 's/^/image /' \"$job/images\" && echo listed\n"
        f"    printf 'id %s\\n' \"{_image_id(image, request.earthly)}\"\n"
        '  } >"$job/report.part"\n'
        '  mv "$job/report.part" "$job/report"\n'
        '  exit "$code"\n}'
    )


def _limited(request: BuildRequest, *, terminal: bool) -> str:
    """Return the function that runs the vendor's part for what is left of the time; as root it can be ended by root only.

    A terminal is made inside of the limit: `timeout` puts what it runs into the background, where a process that sets the
    modes of its terminal is stopped.
    """
    tool = "earthly" if request.earthly else "./earthly.sh"
    root = "" if request.earthly else "sudo_ "
    # No target has a sign that a shell would take for its own.
    run = f'script -qefc "{tool} $*" /dev/null' if terminal else f'{tool} "$@"'
    return (
        "vendor() {\n"
        f'  left=$(( until - $(date +%s) )); [ "$left" -gt 0 ] || exit {LATE}\n'
        f'  {root}timeout --kill-after=30 "$left" {run}\n'
        # 137 is a process that was killed: at the limit by us, before it by a machine without memory.
        f'  code=$?; [ $code != {LATE} ] && {{ [ $code != 137 ] || [ "$(date +%s)" -lt "$until" ]; }} || exit {LATE}\n'
        "  return $code\n}"
    )


def _turn(request: BuildRequest) -> str:
    """Return what waits for the builds of other stacks: the vendor's script has one BuildKit per machine, by its name.

    The lock is one on the folder of all stacks, which each of their users can open.
    """
    folder = shlex.quote(request.workdir.rstrip("/").rpartition("/")[0] or "/")
    return (
        "step turn\n"
        f"exec 9<{folder} || exit {NAMES}\n"
        f'flock -n 9 || {{ echo "another build is at work in {folder}"; '
        f"flock -w $(( until - $(date +%s) )) 9 || exit {LATE}; }}"
    )


def _space(least_gib: int) -> str:
    return (
        "step space\n"
        "free=$(df -Pk . | awk 'NR==2 {printf \"%d\", $4 / 1048576}')\n"
        f'[ "$free" -ge {least_gib} ] || {{ said "$free"; exit {SPACE}; }}'
    )


def _privileged(request: BuildRequest) -> str:
    """Return the vendor's own test for privileged containers, with its image, but with the reason kept."""
    public = request.arg.get("SPECTRO_PUB_REPO", "")
    override = f"SPECTRO_PUB_REPO={arg.quoted(public)}\n" if public else ""
    return (
        "step privileged\n"
        "eval \"$(grep -E '^SPECTRO_PUB_REPO=[A-Za-z0-9./:_-]+$' earthly.sh)\"\n"
        f"{override}"
        'eval "$(grep -E \'^ALPINE_IMG=[A-Za-z0-9./:_$"{}-]+$\' earthly.sh)"\n'
        'if [ -n "${ALPINE_IMG:-}" ]; then\n'
        '  reason=$(sudo_ docker run --rm --privileged "$ALPINE_IMG" sh -c true 2>&1) || '
        f"{{ said \"$(printf '%s' \"$reason\" | tr '\\n' ' ' | tail -c 300)\"; exit {PRIVILEGED}; }}\n"
        "fi"
    )


def _login_lines(request: BuildRequest) -> list[str]:
    """Return what keeps Docker from making a folder in the place of a missing login file."""
    version = number(request.tag)
    if request.earthly or (version is not None and version >= _LOGIN_OPTIONAL_SINCE):
        return []
    inner = '[ -e ~/.docker/config.json ] || { mkdir -p ~/.docker; echo "{}" > ~/.docker/config.json; }'
    return [f"sudo_ sh -c {shlex.quote(inner)}"]


def _bundle_copy(request: BuildRequest) -> list[str]:
    """Return what puts the bundle into the checkout: a link to it would lead out of what the builder's container sees."""
    if not request.bundle:
        return []
    name = shlex.quote(f"content-{request.bundle.rstrip('/').rpartition('/')[2].removeprefix('content-')}")
    source = shlex.quote(request.bundle)
    # Where the folder or a file in it is a link, what it leads to is taken.
    copy = f"mkdir {name} && {{ cp -rlL -- {source}/. {name} 2>/dev/null || cp -rfL -- {source}/. {name}; }}"
    return ["step bundle", f'{copy} && [ -n "$(cd {name} && {_BUNDLE_FILES} -print -quit)" ] || exit {BUNDLE}']


def _steps(request: BuildRequest, image: str) -> list[str]:
    """Return validation of every user-data, then the images, then the ISOs."""
    kinds = list(request.user_data)
    lines = []
    for power in kinds:
        lines += [f"step validate-{power}", *_place(request, power), _validate(power)]
    apart = bool(request.bundle) or not kinds
    if kinds:
        lines += _place(request, kinds[0])
    lines += ["step images", f"{_docker(request.earthly)} image rm --force -- {shlex.quote(image)} >/dev/null 2>&1"]
    lines += [f"vendor {'+build-provider-images' if apart else '+build-all-images'} || exit {IMAGES}"]
    for power in kinds if apart else kinds[1:]:
        lines += [*_place(request, power), f"step iso-{power}", f"vendor +iso || exit {ISO}"]
    return lines


def _place(request: BuildRequest, power: Power) -> list[str]:
    name = request.iso_of(power)
    return [
        # Without a file of this name the build goes on, and its ISO knows nothing.
        f"cp .edge-hosts/{power} user-data && head -n 1 user-data | grep -qx '#cloud-config' || exit {USER_DATA}",
        f"sed -i 's/^ISO_NAME=.*/ISO_NAME={name}/' {arg.FILE} || exit {NAMES}",
    ]


def _validate(power: Power) -> str:
    """Return the vendor's check of the user-data, believed by its words only.

    Without a file it prints a sentence and succeeds. Each command is printed before it runs, with that sentence in it, so a
    line with an arrow is none of its words. A step that the builder has in its cache prints no words again; it is there only
    because it succeeded with the same file.
    """
    out, words = f'"$job/{power}.validation"', f'"$job/{power}.words"'
    return (
        "if grep -q '^validate-user-data:' Earthfile; then\n"
        f"  vendor +validate-user-data >{out} 2>&1; cat {out}\n"
        f"  grep -v -e '--> ' {out} >{words}\n"
        f"  if grep -q 'user-data file does not exist' {words} || "
        f"! {{ grep -Eiq 'validation successful|validated successfully' {words} || "
        f"grep -q '\\*cached\\*.*--> .*palette-edge-cli validate' {out}; }}; then\n"
        f"    said \"$(grep -E 'Error:|level=error|does not exist' {words} | tail -n 1 | tail -c 300)\"; exit {INVALID}\n"
        "  fi\nfi"
    )
