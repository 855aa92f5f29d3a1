package influxql_test

import (
	"bytes"
	"fmt"
	"time"
)

// midnight is when the readings of homeLines begin.
var midnight = time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)

// homeLines are readings as a home, Telegraf and Home Assistant write them, with what makes queries hard: gaps, fields
// that some series do not have, times that several series share, names that need quotes. Numbers are such that no sum
// of them is rounded.
func homeLines() []byte {
	var b bytes.Buffer
	ms := func(t time.Time) int64 { return t.UnixMilli() }
	for i := range 180 { // three hours, a row a minute
		at := midnight.Add(time.Duration(i) * time.Minute)
		for n, device := range []string{"radio:a", "radio:b", "radio:c"} {
			if n == 1 && i >= 60 && i < 90 || n == 2 && i%7 != 0 {
				continue
			}
			shift := time.Duration(n*n) * 1500 * time.Millisecond
			fmt.Fprintf(&b, "hearth,device=%s temperature=%v,humidity=%d", device, 18+float64((i*7+n*13)%40)/4, 40+(i+n)%20)
			if n == 0 {
				fmt.Fprintf(&b, ",power=%v,on=%v", float64((i*i)%1000)/8, i%5 < 3)
			}
			if n == 1 && i%30 == 0 {
				fmt.Fprintf(&b, ",mode=%q", []string{"heat", "off", "auto"}[i/30%3])
			}
			fmt.Fprintf(&b, " %d\n", ms(at.Add(shift)))
		}
		for n, host := range []string{"pi", "nas"} {
			fmt.Fprintf(&b, "cpu,cpu=cpu-total,host=%s usage_user=%v,usage_idle=%v %d\n", host, float64(i%16)/2, 100-float64(i%16)/2-float64(n), ms(at))
			if i%2 == 0 {
				fmt.Fprintf(&b, "cpu,cpu=cpu0,host=%s,region=eu usage_user=%v,usage_idle=%v %d\n", host, float64(i%8)/4, 99.5-float64(n), ms(at))
			}
		}
		if i%10 == 0 {
			fmt.Fprintf(&b, "°C,domain=sensor,entity_id=living_room value=%v,friendly_name_str=\"Living room\",state_class_str=\"measurement\" %d\n", 19+float64(i%12)/4, ms(at))
			fmt.Fprintf(&b, "°C,domain=sensor,entity_id=attic value=%v,friendly_name_str=\"Attic <&> \\\"loft\\\"\" %d\n", 9-float64(i%12)/4, ms(at))
			fmt.Fprintf(&b, "kWh,domain=sensor,entity_id=meter value=%v %d\n", float64(1000+i)/2, ms(at))
			fmt.Fprintf(&b, "state,domain=light,entity_id=lamp value=%d,state=%q %d\n", i/10%2, []string{"off", "on"}[i/10%2], ms(at))
		}
	}
	for i := range 96 { // four days around the change of the clocks in Europe, an hour apart
		at := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Hour)
		fmt.Fprintf(&b, "clocks value=%d %d\n", i, ms(at))
		fmt.Fprintf(&b, "clocks value=%d %d\n", i, ms(at.AddDate(0, 7, -3)))
	}
	for i := range 20 {
		fmt.Fprintf(&b, "counter,meter=m1 total=%d,small=%d %d\n", (i%8)*10, i, ms(midnight.Add(time.Duration(i*i)*time.Second)))
		fmt.Fprintf(&b, "bare value=%d %d\n", i, ms(midnight.Add(time.Duration(i)*time.Hour)))
	}
	fmt.Fprintf(&b, "my\\ place\\,here,ta\\ g=va\\,l\\=ue,b=x fie\\ ld=1.5,tiny=0.0000001,huge=1e30 %d\n", ms(midnight))
	fmt.Fprintf(&b, "old value=1 %d\nold value=2 %d\n", ms(midnight.AddDate(-20, 0, 0)), ms(midnight.AddDate(-5, 0, 0)))
	return b.Bytes()
}

// liveLines are readings up to now, for queries that speak of the present.
func liveLines(now time.Time) []byte {
	var b bytes.Buffer
	for i := range 120 {
		fmt.Fprintf(&b, "live,device=a value=%d %d\n", i%10, now.Add(-time.Duration(i)*time.Minute-time.Second).UnixMilli())
	}
	return b.Bytes()
}
