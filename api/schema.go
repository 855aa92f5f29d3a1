package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"hearth"
)

// schemas makes JSON Schemas of Go types, as encoding/json writes them. Named structs become components.
type schemas struct {
	named object
	types map[string]reflect.Type
}

func newSchemas() *schemas {
	return &schemas{named: object{}, types: map[string]reflect.Type{}}
}

func (s *schemas) of(v any) object { return s.typed(reflect.TypeOf(v)) }

// special returns the schema of a type that writes its JSON itself, or whose values are listed.
func special(t reflect.Type) (object, bool) {
	switch t {
	case reflect.TypeFor[hearth.Value]():
		return object{"type": []string{"boolean", "number", "string", "null"}, "description": "a bool, a number or a text; null for none"}, true
	case reflect.TypeFor[hearth.Time]():
		return object{"type": []string{"string", "null"}, "format": "date-time", "description": "RFC 3339 in UTC with milliseconds"}, true
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}, true
	case reflect.TypeFor[hearth.Bucket]():
		return object{"type": "array", "items": object{"type": "number"}, "minItems": 5, "maxItems": 5, "description": "[unix_ms, min, mean, max, count]"}, true
	case reflect.TypeFor[hearth.ID]():
		return object{"type": "string", "description": "driver:address"}, true
	case reflect.TypeFor[hearth.State]():
		return object{"type": "string", "enum": hearth.States}, true
	case reflect.TypeFor[hearth.Type]():
		return object{"type": "string", "enum": append([]hearth.Type{""}, hearth.Types...)}, true
	case reflect.TypeFor[hearth.Kind]():
		return object{"type": "string", "enum": []hearth.Kind{hearth.Bool, hearth.Number, hearth.Text}}, true
	case reflect.TypeFor[hearth.Scope]():
		return object{"type": "string", "enum": []hearth.Scope{hearth.ScopeRead, hearth.ScopeControl, hearth.ScopeAdmin, hearth.ScopeWrite, hearth.ScopeGateway}}, true
	case reflect.TypeFor[json.RawMessage]():
		return object{}, true
	}
	return nil, false
}

func (s *schemas) typed(t reflect.Type) object {
	if schema, ok := special(t); ok {
		return schema
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": s.typed(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.typed(t.Elem())}
	case reflect.Pointer:
		return s.typed(t.Elem())
	case reflect.Interface:
		return object{}
	case reflect.Struct:
		return s.structure(t)
	}
	panic(fmt.Sprintf("type %s is no JSON", t))
}

func (s *schemas) structure(t reflect.Type) object {
	if t.Name() == "" {
		return s.fields(t)
	}
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if taken, ok := s.types[name]; !ok {
		s.types[name] = t // before its fields, which may hold the type itself
		s.named[name] = s.fields(t)
	} else if taken != t {
		panic(fmt.Sprintf("types %s and %s would both be called %s", taken, t, name))
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (s *schemas) fields(t reflect.Type) object {
	properties, required := object{}, []string{}
	s.collect(t, properties, &required)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

func (s *schemas) collect(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct {
			s.collect(field.Type, properties, required)
			continue
		}
		if name == "-" || !field.IsExported() {
			continue
		}
		if name == "" {
			name = field.Name
		}
		properties[name] = s.typed(field.Type)
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
			if kind := field.Type.Kind(); kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map {
				properties[name] = orNull(properties[name].(object))
			}
		}
	}
}

// orNull lets a schema be null as well: what nil is written as without omitempty.
func orNull(schema object) object {
	switch kind := schema["type"].(type) {
	case string:
		schema["type"] = []string{kind, "null"}
	case nil:
		return object{"anyOf": []object{schema, {"type": "null"}}}
	}
	return schema
}
