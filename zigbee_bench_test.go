package hearth_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/zcl"
)

// BenchmarkZigbee measures the gateway and Zigbee2MQTT with mosquitto on the same fake stick, over the same line. Goals:
// start under 1 s, 30 MB with 100 devices, report to event 1 / 3 ms, command to request 1 / 4 ms (p50 / p99), and to be
// quicker than the peer until sixteen devices are ready.
func BenchmarkZigbee(b *testing.B) {
	for _, name := range []string{"gateway", "zigbee2mqtt"} {
		for _, devices := range []int{16, 100} {
			b.Run(fmt.Sprintf("%s/devices=%d", name, devices), func(b *testing.B) {
				for b.Loop() {
					benchHost(b, hosts[name], devices)
				}
			})
		}
	}
}

func benchHost(b *testing.B, newHost func(testing.TB, *air, fake.Protocol) zigbeeHost, devices int) {
	a := newAir(b, fake.ZNP, devices)
	host := newHost(b, a, fake.ZNP)
	host.start()
	host.open()
	began := time.Now()
	a.pair()
	awaitReady(b, a, host)
	b.ReportMetric(time.Since(began).Seconds(), "s-pairing")
	quiet := time.After(5 * time.Second)
	<-quiet
	host.kill()
	began = time.Now()
	host.start()
	b.ReportMetric(time.Since(began).Seconds(), "s-start")
	quiet = time.After(10 * time.Second)
	<-quiet
	bytes := int64(0)
	for _, pid := range host.pids() {
		bytes += memory(b, pid)
	}
	b.ReportMetric(float64(bytes)/1e6, "MB-rss")
	heard := make(chan said, 16384)
	host.listen(heard)
	report(b, "report", benchReports(b, a, heard))
	report(b, "command", benchCommandsTo(b, a, host))
	b.ReportMetric(benchFlood(b, a, heard), "reports/s")
	host.kill()
}

func report(b *testing.B, what string, trips []time.Duration) {
	slices.Sort(trips)
	b.ReportMetric(float64(trips[len(trips)/2].Microseconds())/1e3, what+"-p50-ms")
	b.ReportMetric(float64(trips[len(trips)*99/100].Microseconds())/1e3, what+"-p99-ms")
}

// benchReports is the time from a report on the line until a subscriber has it, at fifty a second.
func benchReports(b *testing.B, a *air, heard <-chan said) (trips []time.Duration) {
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for i := range 500 {
		<-pace.C
		began, celsius := time.Now(), 10+float64(i)/100
		sayTemperature(a.sensor(), celsius)
		for late := time.After(10 * time.Second); ; {
			select {
			case got := <-heard:
				if got.device != a.sensor().IEEE() || got.value < celsius-0.001 || got.value > celsius+0.001 {
					continue
				}
				trips = append(trips, got.at.Sub(began))
			case <-late:
				b.Fatalf("report %d was not heard", i)
			}
			break
		}
	}
	return trips
}

// benchCommandsTo is the time from a command at the host's door until the device has the request.
func benchCommandsTo(b *testing.B, a *air, host zigbeeHost) (trips []time.Duration) {
	requests := make(chan time.Time, 64)
	a.lamp().Watch(func(h fake.Heard) {
		if h.Cluster == zcl.ClusterOnOff && !h.Frame.Global {
			requests <- time.Now()
		}
	})
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for i := range 300 {
		<-pace.C
		began := time.Now()
		host.light(a.lamp().IEEE(), i%2 == 0)
		select {
		case at := <-requests:
			trips = append(trips, at.Sub(began))
		case <-time.After(10 * time.Second):
			b.Fatalf("command %d did not come", i)
		}
	}
	return trips
}

// benchFlood is how many reports a second arrive when nothing paces them.
func benchFlood(b *testing.B, a *air, heard <-chan said) float64 {
	const reports = 5000
	began := time.Now()
	for i := range reports {
		sayTemperature(a.sensor(), float64(i%4000)/100)
		if i%100 == 99 { // no host has to buffer more than this
			for n := 0; n < 100; {
				select {
				case got := <-heard:
					if got.device == a.sensor().IEEE() {
						n++
					}
				case <-time.After(10 * time.Second):
					b.Fatalf("after %d reports some were lost: %d of the last hundred came", i+1, n)
				}
			}
		}
	}
	return reports / time.Since(began).Seconds()
}
