package template_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ceruleannet/cerulean/internal/template"
)

// options are those of a deployment to a resource group.
func options() template.Options {
	n := 0
	return template.Options{
		Tenant: "22222222-2222-2222-2222-222222222222", Subscription: "11111111-1111-1111-1111-111111111111",
		Group: "Net", Location: "westeurope", Name: "main", Endpoint: "https://localhost:8443",
		Now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC),
		NewGUID: func() string {
			n++
			return fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
		},
	}
}

// evaluate evaluates an expression as an output of its type.
func evaluate(expression string) (any, error) {
	text, err := json.Marshal(expression)
	if err != nil {
		return nil, err
	}
	t, err := template.Parse([]byte(`{"contentVersion": "1.0.0.0", "parameters": {"now": {"type": "string", "defaultValue": "[utcNow()]"}},
		"functions": [{"namespace": "own", "members": {"twice": {"parameters": [{"name": "s", "type": "string"}],
			"output": {"type": "string", "value": "[concat(parameters('s'), parameters('s'))]"}}}}],
		"variables": {"list": ["a", "b"], "object": {"Name": "n", "inner": {"x": 1}}, "v": `+string(text)+`}, "resources": [],
		"outputs": {"o": {"type": "object", "value": {"v": "[variables('v')]"}}}}`), "t.json")
	if err != nil {
		return nil, err
	}
	d, err := t.Expand(nil, options())
	if err != nil {
		return nil, err
	}
	out, err := d.Outputs(nil)
	if err != nil {
		return nil, err
	}
	o, _ := out["o"].(map[string]any)
	v, _ := o["value"].(map[string]any)
	return v["v"], nil
}

// TestExpressions holds expressions against what "ARM template functions" says
// they are.
func TestExpressions(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		// Literals and escapes ("Understand the structure and syntax").
		{"plain", `"plain"`},
		{"[[escaped]", `"[escaped]"`},
		{"[not closed", `"[not closed"`},
		{"[]x", `"[]x"`},
		{"['it''s']", `"it's"`},
		{"[ add ( 1 , -2 ) ]", `-1`},
		{"[variables('object').NAME]", `"n"`},
		{"[variables('object')['inner'].x]", `1`},
		{"[variables('list')[add(0, 1)]]", `"b"`},
		{"[OWN.Twice('ab')]", `"abab"`},
		// Array functions.
		{"[array('a')]", `["a"]`},
		{"[concat('a', 1, 'b')]", `"a1b"`},
		{"[concat(createArray(1), createArray(2, 3))]", `[1,2,3]`},
		{"[contains('one', 'ne')]", `true`},
		{"[contains('One', 'o')]", `false`},
		{"[contains(variables('object'), 'name')]", `true`},
		{"[contains(createArray(1, 2), 2)]", `true`},
		{"[createObject('a', 1, 'b', null())]", `{"a":1,"b":null}`},
		{"[empty('')]", `true`},
		{"[empty(null())]", `true`},
		{"[empty(createObject())]", `true`},
		{"[first('One')]", `"O"`},
		{"[last(variables('list'))]", `"b"`},
		{"[indexOf('Test', 'T')]", `0`},
		{"[indexOf('abcdef', 'DE')]", `3`},
		{"[lastIndexOf('test', 't')]", `3`},
		{"[indexOf(createArray('a', 'b'), 'b')]", `1`},
		{"[intersection(createArray(1, 2, 3), createArray(3, 2))]", `[2,3]`},
		{"[intersection(createObject('a', 1, 'b', 2), createObject('a', 1, 'b', 3))]", `{"a":1}`},
		{"[items(createObject('b', 2, 'a', 1))]", `[{"key":"a","value":1},{"key":"b","value":2}]`},
		{"[objectKeys(createObject('b', 2, 'a', 1))]", `["a","b"]`},
		{"[json('{\"a\": [1, null, true]}')]", `{"a":[1,null,true]}`},
		{"[length('héllo')]", `5`},
		{"[length(createObject('a', 1))]", `1`},
		{"[max(0, 3, 2)]", `3`},
		{"[min(createArray(0, 3, -2))]", `-2`},
		{"[range(5, 3)]", `[5,6,7]`},
		{"[shallowMerge(createArray(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2))))]", `{"a":{"y":2}}`},
		{"[skip('one two', 4)]", `"two"`},
		{"[take(createArray(1, 2, 3), 2)]", `[1,2]`},
		{"[take(createArray(1), 9)]", `[1]`},
		{"[tryGet(variables('object'), 'inner', 'x')]", `1`},
		{"[tryGet(variables('object'), 'missing', 'x')]", `null`},
		{"[union(createArray('one', 'two'), createArray('two', 'three'))]", `["one","two","three"]`},
		{"[union(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2)))]", `{"a":{"x":1,"y":2}}`},
		{"[flatten(createArray(createArray(1), createArray(2, 3)))]", `[1,2,3]`},
		// Comparison and logic.
		{"[coalesce(null(), 'x')]", `"x"`},
		{"[equals(createArray(1), createArray(1))]", `true`},
		{"[equals('a', 'A')]", `false`},
		{"[less(1, 2)]", `true`},
		{"[greaterOrEquals('b', 'a')]", `true`},
		{"[if(true(), 'yes', div(1, 0))]", `"yes"`},
		{"[and(true(), not(false()))]", `true`},
		{"[or(false(), false())]", `false`},
		{"[bool('TRUE')]", `true`},
		{"[bool(0)]", `false`},
		// CIDR.
		{"[cidrSubnet('10.144.0.0/20', 24, 0)]", `"10.144.0.0/24"`},
		{"[cidrSubnet('10.144.0.0/20', 24, 15)]", `"10.144.15.0/24"`},
		{"[cidrSubnet('fdad:3236:5555::/48', 52, 1)]", `"fdad:3236:5555:1000::/52"`},
		{"[cidrHost('10.144.3.0/24', 0)]", `"10.144.3.1"`},
		{"[map(range(0, 3), lambda('i', cidrHost('10.144.3.0/24', lambdaVariables('i'))))]", `["10.144.3.1","10.144.3.2","10.144.3.3"]`},
		{"[parseCidr('10.144.0.0/20')]", `{"broadcast":"10.144.15.255","cidr":20,"firstUsable":"10.144.0.1","lastUsable":"10.144.15.254","netmask":"255.255.240.0","network":"10.144.0.0"}`},
		// Dates.
		{"[dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')]", `"2023-04-07 14:53:14Z"`},
		{"[dateTimeAdd('2020-04-07 14:53:14Z', '-P9D')]", `"2020-03-29 14:53:14Z"`},
		{"[dateTimeAdd('2020-04-07 14:53:14Z', 'PT1H')]", `"2020-04-07 15:53:14Z"`},
		{"[dateTimeFromEpoch(1683040573)]", `"2023-05-02T15:16:13Z"`},
		{"[dateTimeToEpoch('2023-05-02T15:16:13Z')]", `1683040573`},
		{"[parameters('now')]", `"20260504T030201Z"`},
		// Lambdas.
		{"[filter(range(0, 6), lambda('n', greater(lambdaVariables('n'), 3)))]", `[4,5]`},
		{"[map(variables('list'), lambda('e', 'i', concat(lambdaVariables('e'), lambdaVariables('i'))))]", `["a0","b1"]`},
		{"[mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))]", `{"a":2}`},
		{"[reduce(range(1, 4), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))]", `10`},
		{"[sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))]", `[1,2,3]`},
		{"[toObject(variables('list'), lambda('e', lambdaVariables('e')), lambda('e', toUpper(lambdaVariables('e'))))]", `{"a":"A","b":"B"}`},
		{"[groupBy(createArray('foo', 'bar', 'baz'), lambda('s', first(lambdaVariables('s'))))]", `{"b":["bar","baz"],"f":["foo"]}`},
		{"[map(createArray(1, 2), lambda('x', map(createArray(10), lambda('y', add(lambdaVariables('x'), lambdaVariables('y'))))))]", `[[11],[12]]`},
		// Numbers.
		{"[div(7, 2)]", `3`},
		{"[mod(7, 3)]", `1`},
		{"[mul(-3, 4)]", `-12`},
		{"[int('42')]", `42`},
		// Strings.
		{"[base64('one, two, three')]", `"b25lLCB0d28sIHRocmVl"`},
		{"[base64ToString('b25lLCB0d28sIHRocmVl')]", `"one, two, three"`},
		{"[base64ToJson(base64('{\"one\": \"a\"}')).one]", `"a"`},
		{"[dataUri('Hello')]", `"data:text/plain;charset=utf8;base64,SGVsbG8="`},
		{"[dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')]", `"Hello, World!"`},
		{"[endsWith('abcdef', 'EF')]", `true`},
		{"[startsWith('abcdef', 'AB')]", `true`},
		{"[format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)]", `"Hello, User. Formatted number: 8,175,133"`},
		{"[format('{{{0}}}', 'x')]", `"{x}"`},
		{"[join(createArray('one', 2), ', ')]", `"one, 2"`},
		{"[padLeft(123, 6, '0')]", `"000123"`},
		{"[replace('123-123-1234', '-', '')]", `"1231231234"`},
		{"[split('one;two,three', createArray(',', ';'))]", `["one","two","three"]`},
		{"[string(createArray('a', 1))]", `"[\"a\",1]"`},
		{"[substring('one two three', 4, 3)]", `"two"`},
		{"[toUpper('aB')]", `"AB"`},
		{"[trim('  x ')]", `"x"`},
		{"[length(uniqueString('a', 'b'))]", `13`},
		{"[equals(uniqueString('a'), uniqueString('a'))]", `true`},
		{"[length(guid('a'))]", `36`},
		{"[uri('http://contoso.org/firstpath/', 'myscript.sh')]", `"http://contoso.org/firstpath/myscript.sh"`},
		{"[uriComponent('http://contoso.com/resources/nested/azuredeploy.json')]", `"http%3A%2F%2Fcontoso.com%2Fresources%2Fnested%2Fazuredeploy.json"`},
		{"[uriComponentToString('a%20b')]", `"a b"`},
		// Resources.
		{"[resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 's')]", `"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"`},
		{"[resourceId('other', 'Microsoft.Network/virtualNetworks', 'v')]", `"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/other/providers/Microsoft.Network/virtualNetworks/v"`},
		{"[resourceId('s', 'g', 'A.B/c', 'n')]", `"/subscriptions/s/resourceGroups/g/providers/A.B/c/n"`},
		{"[subscriptionResourceId('A.B/c', 'n')]", `"/subscriptions/11111111-1111-1111-1111-111111111111/providers/A.B/c/n"`},
		{"[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'n')]", `"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/n"`},
		{"[tenantResourceId('A.B/c', 'n')]", `"/providers/A.B/c/n"`},
		{"[extensionResourceId(resourceId('A.B/c', 'n'), 'D.E/f', 'x')]", `"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/Net/providers/A.B/c/n/providers/D.E/f/x"`},
		{"[resourceGroup().location]", `"westeurope"`},
		{"[subscription().subscriptionId]", `"11111111-1111-1111-1111-111111111111"`},
		{"[deployment().name]", `"main"`},
		{"[environment().suffixes.storage]", `"core.windows.net"`},
		{"[pickZones('Microsoft.Compute', 'virtualMachines', 'westus2', 2)]", `["1","2"]`},
	} {
		t.Run(c.expression, func(t *testing.T) {
			v, err := evaluate(c.expression)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if want := c.want; strings.ReplaceAll(string(got), `\u0026`, "&") != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestWrongExpressions: errors say what is wrong and where.
func TestWrongExpressions(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"[add(1)]", "add"},
		{"[add(1, 'x')]", "integer"},
		{"[nothing()]", "nothing"},
		{"[variables('list')[2]]", "index"},
		{"[variables('object').gone]", "gone"},
		{"[variables('v')]", "itself"},
		{"[parameters('gone')]", "gone"},
		{"[utcNow()]", "default"},
		{"[newGuid()]", "default"},
		{"['open]", "string"},
		{"[add(1, 2]", "expected"},
		{"[add(1, 2))]", "expected"},
		{"[add(9223372036854775807, 1)]", "64"},
		{"[div(1, 0)]", "0"},
		{"[lambda('x', 1)]", "lambda"},
		{"[range(0, 10001)]", "10000"},
		{"[substring('abc', 2, 5)]", "substring"},
		{"[cidrSubnet('10.0.0.0/24', 25, 2)]", "2"},
		{"[json('{')]", "json"},
		{"[reference('x')]", "reference"},
		{"[managementGroup().name]", "there is no management group"},
		{"[managementGroupResourceId('Microsoft.X/y', 'n')]", "name one"},
		{"[providers('Microsoft.Network')]", "only in a cloud"},
		{"[resourceId('A.B/c/d', 'n')]", "names"},
		{"[" + strings.Repeat("array(", 200) + "1" + strings.Repeat(")", 200) + "]", "nested"},
		{"[" + strings.Repeat("x", 25_000) + "]", "limit"},
	} {
		name := c.expression[:min(len(c.expression), 30)]
		t.Run(name, func(t *testing.T) {
			v, err := evaluate(c.expression)
			if err == nil {
				t.Fatalf("no error but %v", v)
			}
			if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) || !strings.Contains(err.Error(), "t.json:") {
				t.Errorf("error %q does not say %q and where", err, c.want)
			}
		})
	}
}
