package homeassistant

import (
	"reflect"
	"strings"
	"testing"
)

func scopeFor(payload string) *scope {
	return &scope{value: payload, json: parseJSON([]byte(payload))}
}

func TestTemplates(t *testing.T) {
	const object = `{"a":{"b":21.5,"list":[1,{"x":"deep"}]},"t":235,"s":"On","yes":true,"none":null,"dash-ed":7,"text":"12.5","0":"zero"}`
	for _, row := range []struct {
		template, payload string
		want              any
	}{
		{"{{ value }}", "21", "21"},
		{"{{value}}", " x ", " x "},
		{"{{ value_json.a.b }}", object, 21.5},
		{"{{ value_json['a']['b'] }}", object, 21.5},
		{`{{ value_json["a"].b }}`, object, 21.5},
		{"{{ value_json.a.list[1].x }}", object, "deep"},
		{"{{ value_json.a.list[-1]['x'] }}", object, "deep"},
		{"{{ value_json['dash-ed'] }}", object, int64(7)},
		{"{{ value_json.missing }}", object, undefined{}},
		{"{{ value_json.missing.more }}", object, undefined{}},
		{"{{ value_json.a }}", "no json", undefined{}},
		{"{{ value_json.t | float / 10 }}", object, 23.5},
		{"{{ value_json.t|float/10 }}", object, 23.5},
		{"{{ (value_json.t | int) * 2 + 1 }}", object, int64(471)},
		{"{{ value_json.t / 10 | round(1) }}", object, 23.5},
		{"{{ (value_json.t / 8) | round(2) }}", object, 29.38},
		{"{{ (value_json.t / 8) | round }}", object, int64(29)},
		{"{{ value_json.a.b | int }}", object, int64(21)},
		{"{{ value_json.text | float }}", object, 12.5},
		{"{{ value_json.s | float(0) }}", object, int64(0)},
		{"{{ value_json.missing | float(default=1.5) }}", object, 1.5},
		{"{{ value_json.missing | default('x') }}", object, "x"},
		{"{{ value_json.missing | default('x') | upper }}", object, "X"},
		{"{{ value_json.get('s', 'q') }}", object, "On"},
		{"{{ value_json.get('missing', 'q') }}", object, "q"},
		{"{{ value_json.s | lower }}", object, "on"},
		{"{{ value_json.s == 'On' }}", object, true},
		{"{{ value_json.s != 'On' }}", object, false},
		{"{{ 'ON' if value_json.s == 'On' else 'OFF' }}", object, "ON"},
		{"{{ 'ON' if value_json.t > 300 else 'OFF' }}", object, "OFF"},
		{"{{'online' if value_json.t is defined else 'offline'}}", object, "online"},
		{"{{'online' if value_json.q is defined else 'offline'}}", object, "offline"},
		{"{{ value_json.q is not defined and not value_json.none }}", object, true},
		{"{{ value_json.is_defined | is_defined }}", object, undefined{}},
		{"{% if value_json.s == 'On' %}yes{% else %}no{% endif %}", object, "yes"},
		{"{%- if value_json.s == 'Off' -%} yes {%- elif value_json.t == 235 -%} mid {%- else -%} no {%- endif -%}", object, "mid"},
		{"{% if value == '1' %}a{% endif %}", "2", ""},
		{"{% set x = value_json.t | int %}{{ x + 1 }}", object, "236"},
		{`{{ {0: "off", 1: "heat"}[value_json.n] | default("off") }}`, `{"n":1}`, "heat"},
		{`{{ {"a": {"b": 1}}["a"] }}`, "", map[string]any{"b": int64(1)}},
		{"{{ value_json.s in ['On', 'Off'] }}", object, true},
		{"{{ 'n' in value_json.s }}", object, true},
		{"{{ value_json.t not in [1,2] }}", object, true},
		{"{{ value.split(',')[1] }}", "1,22,3", "22"},
		{"{{ iif(value_json.yes, 'a', 'b') }}", object, "a"},
		{"{{ value_json.yes }}", object, true},
		{"T: {{ value_json.yes }}{# gone #}", object, "T: True"},
		{"{{ value | int(base=16) }}", "ff", int64(255)},
		{"{{ -value_json.t }}", object, int64(-235)},
		{"{{ 7 // 2 }}", "", int64(3)},
		{"{{ 7 % 4 }}", "", int64(3)},
		{"{{ 1 ~ 'a' }}", "", "1a"},
		{"{{ value_json.yes | tojson }}", object, "true"},
		{"{{ (value | from_json).t }}", object, int64(235)},
		{"plain", "", "plain"},
		{"{ not a template }", "", "{ not a template }"},
		{"{{ value_json[0] }}", object, "zero"},
		{"{{ value_json.a.list | length }}", object, int64(2)},
		{"{{ (value_json.t - 32) * 5 / 9 | round(1) }}", `{"t":212}`, 100.0},
	} {
		parsed, err := parseTemplate(row.template)
		if err != nil {
			t.Errorf("%s: %v", row.template, err)
			continue
		}
		got, err := parsed.evaluate(scopeFor(row.payload))
		if err != nil || !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s of %s = %#v, %v, want %#v", row.template, row.payload, got, err, row.want)
		}
	}
}

func TestTruncate(t *testing.T) {
	for source, want := range map[string]string{
		`{{ value | truncate(9, True, '', 0) }}`:  "some long",
		`{{ value | truncate(9, False, '', 0) }}`: "some",
		`{{ value | truncate(7, False, '', 0) }}`: "some",
		`{{ value | truncate(8, True) }}`:         "some ...",
		`{{ value | truncate(12) }}`:              "some long text",
		`{{ value | truncate(-5, True, '', 0) }}`: "",
	} {
		parsed, err := parseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.render(&scope{value: "some long text"}); err != nil || got != want {
			t.Errorf("%s gave %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestTemplatesRefused(t *testing.T) {
	for _, source := range []string{
		"{{ states('sensor.x') }}", "{{ now() }}", "{{ this.state }}", "{{ value_json.a | regex_replace('a','b') }}", "{% for x in value_json %}{% endfor %}",
		"{% macro a() %}{% endmacro %}", "{{ value", "{{ }}", "{% if value %}", "{% endif %}", "{{ value_json. }}", "{{ value | }}", "{{ 'open }}", "{{ value ! }}",
		"{{ value.join('a') }}", "{{ value is divisibleby }}", "{% else %}", "{% if a %}{% else %}{% else %}{% endif %}", "{{ value | round(1, 2, 3) }}",
		"{# open", "{{ 1 if }}", "{{ [1, 2 }}", strings.Repeat("(", 1000), "{{ " + strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100) + " }}",
		"{{ " + strings.Repeat("not ", 100) + "1 }}", "{{ " + strings.Repeat("- ", 100) + "1 }}", strings.Repeat("{% if value %}", 100),
		strings.Repeat("a", maxTemplate+1),
	} {
		if parsed, err := parseTemplate(source); err == nil && source[0] != '(' {
			t.Errorf("%s was read as %#v", clip(source), parsed.body)
		}
	}
}

// What a template costs must be bounded by its length: none of these may grow, and all must end at once.
func TestTemplatesCannotGrow(t *testing.T) {
	for _, source := range []string{
		"{% set a = value %}" + strings.Repeat("{% set a = a ~ a %}", 150) + "{{ a }}",
		"{% set a = [value] %}" + strings.Repeat("{% set a = [a, a] %}", 150) + "{{ a | tojson }}",
		"{% set a = {'x': value} %}" + strings.Repeat("{% set a = {'x': a, 'y': a} %}", 100) + "{{ a }}",
		"{{ value" + strings.Repeat(".replace('a', 'aaaaaaaa')", 40) + " }}",
		"{{ 2" + strings.Repeat("* 99999999999", 200) + " }}",
	} {
		parsed, err := parseTemplate(source)
		if err != nil {
			t.Fatalf("%s: %v", clip(source), err)
		}
		if got, err := parsed.evaluate(scopeFor("aaaaaaaaaaaaaaaaaaaa")); err == nil {
			t.Errorf("%s gave %v", clip(source), clip(jsonOf(got)))
		}
	}
}

func jsonOf(v any) string { s, _ := textOf(v); return s }

func TestCommandTemplates(t *testing.T) {
	for _, row := range []struct {
		template string
		value    any
		names    map[string]any
		want     string
	}{
		{`{"value": {{ value }} }`, int64(21), nil, `{"value": 21 }`},
		{`{"value": "{{ value }}"}`, "eco", nil, `{"value": "eco"}`},
		{`{{ {"target": value} | tojson }}`, 21.5, nil, `{"target":21.5}`},
		{"{{ value * 10 }}", 21.5, nil, "215.0"},
		{"{{ (value * 10) | int }}", 21.5, nil, "215"},
		{"{%- if brightness is defined -%}dim {{ brightness }}{%- else -%}on{%- endif -%}", "", nil, "on"},
		{"{%- if brightness is defined -%}dim {{ brightness }}{%- else -%}on{%- endif -%}", "", map[string]any{"brightness": int64(5)}, "dim 5"},
	} {
		parsed, err := parseTemplate(row.template, "brightness")
		if err != nil {
			t.Errorf("%s: %v", row.template, err)
			continue
		}
		if got, err := parsed.render(&scope{value: row.value, names: row.names}); err != nil || got != row.want {
			t.Errorf("%s of %v = %q, %v, want %q", row.template, row.value, got, err, row.want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"{{ value_json.a | float / 10 }}", "{% if value == 'x' %}a{% elif value in [1,'b'] %}{{ {0:1}[value] }}{% endif %}", "{{ value.split(',')[0] ~ -1 }}"} {
		f.Add(seed, `{"a":1}`)
	}
	f.Fuzz(func(t *testing.T, source, payload string) {
		parsed, err := parseTemplate(source)
		if err != nil {
			return
		}
		text, err := parsed.render(scopeFor(payload))
		if err == nil && len(text) > maxResult+len(payload)*len(source)+maxTemplate {
			t.Errorf("%d bytes of %q", len(text), source)
		}
		if again, err := parseTemplate(parsed.source); err != nil || len(again.body) != len(parsed.body) {
			t.Errorf("%q is read differently the second time", source)
		}
	})
}
