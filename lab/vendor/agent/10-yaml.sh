# yaml_to_json: the part of YAML that user-data is written in (block mappings and sequences, all kinds of scalars, flow
# collections) from stdin to JSON on stdout. Anchors, tags and several documents are refused. A machine that gets an
# agent has awk and jq, but not necessarily Python.
yaml_to_json() { awk "$YAML_READER" | jq -c .; }

# shellcheck disable=SC2016  # awk's own dollars
YAML_READER='
function fail(text) { if (!bad) print "yaml: line " p ": " text > "/dev/stderr"; bad = 1; exit 2 }
function spaces(count,  s) { s = ""; while (count-- > 0) s = s " "; return s }
function indent(s) { match(s, /[^ ]/); return RSTART ? RSTART - 1 : length(s) }
function blank(s) { return s ~ /^[ \t]*$/ }
function empty(s) { return s ~ /^[ \t]*(#.*)?$/ }
function peek() { while (p <= total && (empty(line[p]) || line[p] ~ /^---/)) p++; return p <= total ? indent(line[p]) : -1 }

# A JSON string of raw text.
function escape(s,  out, i, c) {
    out = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (c == "\\" || c == "\"") out = out "\\" c
        else if (c in control) out = out control[c]
        else out = out c
    }
    return out
}
function quote(s) { return "\"" escape(s) "\"" }

# How long the key at the start of the text is, its colon included; 0 = no key there.
function key_length(s,  q, i) {
    q = substr(s, 1, 1)
    if (q == "\"" || q == "\047") {
        for (i = 2; i <= length(s); i++) {
            if (q == "\"" && substr(s, i, 1) == "\\") { i++; continue }
            if (substr(s, i, 1) != q) continue
            if (q == "\047" && substr(s, i + 1, 1) == q) { i++; continue }
            break
        }
        return match(substr(s, i + 1), /^ *:( |$)/) ? i + RLENGTH - (substr(s, i + RLENGTH, 1) == " ") : 0
    }
    if (s ~ /^[[{|>#]/ || !match(s, /:( |$)/)) return 0
    i = RSTART
    return match(substr(s, 1, i), / #/) ? 0 : i
}
function key_text(s,  q) {
    sub(/ *:$/, "", s)
    q = substr(s, 1, 1)
    if (q == "\"") { text = s; at = 2; return double_quoted(-2) }
    if (q == "\047") { text = s; at = 2; return single_quoted(-2) }
    return quote(s)
}

function node(parent,  ind, body) {
    ind = indent(line[p]); body = substr(line[p], ind + 1)
    if (body ~ /^-( |$)/) return sequence(ind)
    if (body ~ /^\? /) fail("complex keys are not supported")
    if (key_length(body)) return mapping(ind)
    return scalar(body, parent)
}
function sequence(ind,  out, rest) {
    out = ""
    while (peek() == ind && substr(line[p], ind + 1) ~ /^-( |$)/) {
        rest = substr(line[p], ind + 2)
        out = out (out == "" ? "" : ",")
        if (empty(rest)) { p++; out = out (peek() > ind ? node(ind) : "null") }
        else { line[p] = spaces(ind + 1) rest; out = out node(ind) }
    }
    if (peek() > ind) fail("wrong indentation")
    return "[" out "]"
}
function mapping(ind,  out, body, size, rest, key) {
    out = ""
    while (peek() == ind) {
        body = substr(line[p], ind + 1); size = key_length(body)
        if (!size) break
        key = key_text(substr(body, 1, size))
        rest = substr(body, size + 1); sub(/^ +/, "", rest)
        out = out (out == "" ? "" : ",") key ":"
        if (!empty(rest)) out = out scalar(rest, ind)
        else {
            p++
            if (peek() > ind) out = out node(ind)
            else if (peek() == ind && substr(line[p], ind + 1) ~ /^-( |$)/) out = out sequence(ind)
            else out = out "null"
        }
    }
    if (peek() >= ind) fail("neither a key nor the end of the mapping")
    return "{" out "}"
}

# A scalar that starts with `rest` on line p; `ind` is the indentation of what holds it. Leaves p behind its last line.
function scalar(rest, ind,  c, out) {
    c = substr(rest, 1, 1)
    if (c == "|" || c == ">") return block(rest, ind)
    if (c ~ /[&*!%@`]/) fail("anchors, tags and reserved characters are not supported")
    text = rest; at = 2
    if (c == "\"") out = double_quoted(ind)
    else if (c == "\047") out = single_quoted(ind)
    else if (c == "[" || c == "{") { at = 1; out = flow(ind) }
    else return plain(rest, ind)
    if (substr(text, at) !~ /^ *( #.*)?$/) fail("text after the end of a value")
    p++
    return out
}
function plain(s, ind,  breaks) {
    sub(/ +#.*$/, "", s); sub(/ +$/, "", s)
    for (p++; p <= total; ) {
        for (breaks = 0; p + breaks <= total && blank(line[p + breaks]); ) breaks++
        if (p + breaks > total || indent(line[p + breaks]) <= ind) break
        p += breaks
        if (empty(line[p])) break
        text = line[p++]; sub(/^ +/, "", text); sub(/ +#.*$/, "", text); sub(/ +$/, "", text)
        s = s (breaks ? newlines(breaks) : " ") text
    }
    return typed(s)
}
function newlines(count,  s) { s = ""; while (count-- > 0) s = s "\n"; return s }
function typed(s) {
    if (s ~ /^(true|True|TRUE)$/) return "true"
    if (s ~ /^(false|False|FALSE)$/) return "false"
    if (s ~ /^(null|Null|NULL|~)?$/) return "null"
    if (s ~ /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/ && length(s) < 16) return s
    return quote(s)
}

# Quoted scalars: `text` is the current line, `at` the next place in it. `ind` -2 forbids more lines.
function next_line(ind,  breaks) {
    if (ind == -2) fail("a quoted key does not end on its line")
    breaks = 0
    do { p++; if (p > total) fail("a quoted value does not end"); breaks++ } while (blank(line[p]))
    text = line[p]; sub(/^[ \t]+/, "", text); at = 1
    return breaks
}
function single_quoted(ind,  out, held, c, breaks) {
    out = ""; held = ""
    for (;;) {
        if (at > length(text)) { breaks = next_line(ind); out = out (breaks > 1 ? newlines(breaks - 1) : " "); held = ""; continue }
        c = substr(text, at++, 1)
        if (c == "\047") { if (substr(text, at, 1) != c) break; at++ }
        if (c == " ") { held = held c; continue }
        out = out held c; held = ""
    }
    return quote(out held)
}
function double_quoted(ind,  out, held, c, breaks) {
    out = "\""; held = ""
    for (;;) {
        if (at > length(text)) {
            breaks = next_line(ind)
            out = out (breaks > 1 ? spread("\\n", breaks - 1) : " "); held = ""
            continue
        }
        c = substr(text, at++, 1)
        if (c == "\"") break
        if (c == " ") { held = held c; continue }
        out = out held; held = ""
        if (c != "\\") { out = out (c in control ? control[c] : c); continue }
        if (at > length(text)) { breaks = next_line(ind); out = out spread("\\n", breaks - 1); continue }
        out = out unescape(substr(text, at++, 1))
    }
    return out held "\""
}
function spread(s, count,  out) { out = ""; while (count-- > 0) out = out s; return out }
function unescape(c,  digits, size) {
    if (c in simple) return simple[c]
    size = c == "x" ? 2 : c == "u" ? 4 : c == "U" ? 8 : 0
    if (!size) fail("unknown escape \\" c)
    digits = substr(text, at, size); at += size
    if (size == 8 && digits !~ /^0000/) return pair(digits)
    return "\\u" substr("0000" digits, length(digits) + 1)
}
function hex(s,  i, value) {
    value = 0; s = tolower(s)
    for (i = 1; i <= length(s); i++) value = value * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
    return value
}
function pair(digits,  value) {
    value = hex(digits) - 65536
    return sprintf("\\u%04x\\u%04x", 55296 + int(value / 1024), 56320 + value % 1024)
}

# Block scalars: | keeps line breaks, > folds them.
function block(head, ind,  folded, chomp, width, out, s, first, before, gap) {
    folded = substr(head, 1, 1) == ">"
    chomp = head ~ /^[|>][0-9]?-/ ? "-" : head ~ /^[|>][0-9]?\+/ ? "+" : ""
    width = match(head, /[1-9]/) && RSTART <= 3 ? ind + substr(head, RSTART, 1) : 0
    out = ""; first = 1; before = 0; gap = 0
    for (p++; p <= total; p++) {
        s = line[p]
        if (s ~ /^ *$/ && (!width || length(s) <= width)) { gap++; continue }
        if (!width) { width = indent(s); if (width <= ind) break }
        if (indent(s) < width) break
        s = substr(s, width + 1)
        if (first) out = newlines(gap) s
        else if (!folded || before || s ~ /^[ \t]/) out = out newlines(gap + 1) s
        else out = out (gap ? newlines(gap) : " ") s
        first = 0; gap = 0; before = s ~ /^[ \t]/
    }
    if (chomp == "") return quote(out (first ? "" : "\n"))
    return quote(out (chomp == "+" ? newlines(gap + !first) : ""))
}

# Flow collections, over as many lines as they take.
function skip(ind) {
    for (;;) {
        while (substr(text, at, 1) == " ") at++
        if (at > length(text) || substr(text, at) ~ /^#/) { next_line(ind); continue }
        return substr(text, at, 1)
    }
}
function flow(ind,  open, out, key) {
    open = substr(text, at++, 1); out = ""
    while (skip(ind) != (open == "[" ? "]" : "}")) {
        if (out != "") { if (skip(ind) != ",") fail("a comma is missing"); at++; out = out ","
            if (skip(ind) == (open == "[" ? "]" : "}")) { sub(/,$/, "", out); break } }
        if (open == "{") {
            key = flow_value(ind)
            if (key !~ /^"/) key = quote(key)
            out = out key ":"
            if (skip(ind) == ":") { at++; skip(ind); out = out flow_value(ind) } else out = out "null"
        } else out = out flow_value(ind)
    }
    at++
    return open == "[" ? "[" out "]" : "{" out "}"
}
function flow_plain(  s) {
    match(substr(text, at), /^([^],:{}[#]|:[^ ,]|[^ ]#)*/)
    s = substr(text, at, RLENGTH); at += RLENGTH
    sub(/ +$/, "", s)
    return s
}
function flow_value(ind,  c, s, breaks) {
    c = skip(ind)
    if (c == "\"") { at++; return double_quoted(ind) }
    if (c == "\047") { at++; return single_quoted(ind) }
    if (c == "[" || c == "{") return flow(ind)
    s = flow_plain()
    while (at > length(text)) { # a plain text may go on in the next line
        breaks = next_line(ind); c = flow_plain()
        if (c != "") s = s (breaks > 1 ? newlines(breaks - 1) : " ") c
    }
    return typed(s)
}

BEGIN {
    for (i = 1; i < 32; i++) control[sprintf("%c", i)] = sprintf("\\u%04x", i)
    control["\n"] = "\\n"; control["\t"] = "\\t"; control["\r"] = "\\r"; control[sprintf("%c", 127)] = "\\u007f"
    simple["n"] = "\\n"; simple["t"] = "\\t"; simple["r"] = "\\r"; simple["b"] = "\\b"; simple["f"] = "\\f"
    simple["\""] = "\\\""; simple["\\"] = "\\\\"; simple["/"] = "/"; simple[" "] = " "; simple["\t"] = "\\t"
    simple["0"] = "\\u0000"; simple["a"] = "\\u0007"; simple["v"] = "\\u000b"; simple["e"] = "\\u001b"
    simple["N"] = "\\u0085"; simple["_"] = "\\u00a0"; simple["L"] = "\\u2028"; simple["P"] = "\\u2029"
}
{ sub(/\r$/, ""); line[++total] = $0 }
END {
    if (bad) exit 2
    p = 1
    if (peek() < 0) { print "null"; exit 0 }
    result = node(-1)
    if (peek() >= 0) fail("text after the end of the document")
    print result
}
'
