package spec

import (
	"maps"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// The depth ends a chain of files that include each other; compose-go then
// reports the cycle.
const maxIncludeDepth = 20

// gather is all files of the spec in merge order: those that a file includes
// or extends come before it.
func gather(main []*document, r *report) []*document {
	var out []*document
	seen := map[string]bool{}
	for _, d := range main {
		out = append(out, d.references(r, seen, 0)...)
		out = append(out, d)
	}
	return out
}

func (d *document) references(r *report, seen map[string]bool, depth int) []*document {
	if depth == maxIncludeDepth {
		return nil
	}
	var out []*document
	for _, root := range d.roots {
		if _, list := child(root, "include"); list != nil && list.Kind == yaml.SequenceNode {
			for _, item := range list.Content {
				out = append(out, d.include(deref(item), r, seen, depth)...)
			}
		}
		for _, section := range []string{"services", "jobs"} {
			_, services := child(root, section)
			if services == nil || services.Kind != yaml.MappingNode {
				continue
			}
			for _, e := range entries(services) {
				if _, extends := child(e.value, "extends"); extends != nil {
					if _, file := child(extends, "file"); file != nil {
						out = append(out, d.open(file, d.dir, d.env, r, seen, depth)...)
					}
				}
			}
		}
	}
	return out
}

// include opens the files of one entry of include.
func (d *document) include(item *yaml.Node, r *report, seen map[string]bool, depth int) []*document {
	if item == nil {
		return nil
	}
	paths, dir := []*yaml.Node{item}, ""
	var envFiles []*yaml.Node
	if item.Kind == yaml.MappingNode {
		_, path := child(item, "path")
		paths = scalars(path)
		if _, n := child(item, "project_directory"); n != nil {
			dir = d.resolve(n)
		}
		_, n := child(item, "env_file")
		envFiles = scalars(n)
	}
	env := d.includedEnvironment(envFiles, dir, paths, r)
	var out []*document
	for _, p := range paths {
		if dir == "" {
			dir = filepath.Dir(d.resolve(p))
		}
		out = append(out, d.open(p, dir, env, r, seen, depth)...)
	}
	return out
}

// includedEnvironment is the environment that an included file sees: its own
// env files, or the .env beside it, under what the including file sees.
func (d *document) includedEnvironment(files []*yaml.Node, dir string, paths []*yaml.Node, r *report) environment {
	read := environment{}
	if len(files) == 0 && len(paths) > 0 {
		if dir == "" {
			dir = filepath.Dir(d.resolve(paths[0]))
		}
		implicit := filepath.Join(dir, ".env")
		d.envFiles = append(d.envFiles, implicit)
		if info, err := d.files.stat(implicit); err == nil && !info.IsDir() {
			if err := d.includedVariables(implicit, read); err != nil {
				d.notIncluded(r, paths[0], "include", "the env file "+d.display(implicit), err, "is not valid", "correct the file")
			}
		}
	}
	for _, f := range files {
		if f.Value == os.DevNull {
			continue
		}
		d.envFiles = append(d.envFiles, d.resolve(f))
		if err := d.includedVariables(d.resolve(f), read); err != nil {
			d.notIncluded(r, f, "include.env_file", "the env file "+f.Value, err, "is missing or not valid", "correct the path or the file")
		}
	}
	maps.Copy(read, d.env)
	return read
}

// includedVariables adds those of an included file's own env file, which
// compose-go reads once more, so that it cannot be sealed.
func (d *document) includedVariables(path string, into environment) error {
	if err := d.files.look(path); err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if isSealed(data) {
		return &Refused{"is encrypted, and stands in an include", "put its variables into .env.age beside the spec"}
	}
	return into.add(d.display(path), data, err, d.env)
}

// notIncluded reports a file that a line of this one wants read.
func (d *document) notIncluded(r *report, n *yaml.Node, path, what string, err error, otherwise, remedy string) {
	rule, message, remedy := refusal(err, "include", otherwise, remedy)
	r.fail(rule, d.at(n), path, what+" "+message, remedy)
}

// open reads one more file of the spec, and all that it refers to in turn.
func (d *document) open(path *yaml.Node, dir string, env environment, r *report, seen map[string]bool, depth int) []*document {
	full := d.resolve(path)
	if seen[full] {
		return nil
	}
	seen[full] = true
	other, err := readDocument(full, dir, d.files)
	if err != nil {
		r.bad[path] = true
		rule, message, remedy := refusal(err, "missing-file", "cannot be read", "correct the path; it is relative to "+d.display(d.dir))
		r.fail(rule, d.at(path), "", "the file "+path.Value+" "+message, remedy)
		return nil
	}
	other.name = d.display(full)
	other.env = env
	other.parse(r)
	return append(other.references(r, seen, depth+1), other)
}

// resolve is the absolute path that a node of this file names.
func (d *document) resolve(n *yaml.Node) string {
	text, _ := expand(n.Value, d.env.get)
	if filepath.IsAbs(text) {
		return filepath.Clean(text)
	}
	return filepath.Join(d.dir, text)
}

// display names another file the way the user named this one.
func (d *document) display(full string) string {
	if rel, err := filepath.Rel(filepath.Dir(d.path), full); err == nil {
		return filepath.Join(filepath.Dir(d.name), rel)
	}
	return full
}

// scalars are the texts of a node that is a text or a list of texts.
func scalars(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	var out []*yaml.Node
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			if item = deref(item); item != nil && item.Kind == yaml.ScalarNode {
				out = append(out, item)
			}
		}
	}
	return out
}
