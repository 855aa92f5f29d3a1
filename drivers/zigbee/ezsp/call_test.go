package ezsp

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

// TestLostAnswers has the firmware carry out a command and lose the answer, so often.
func TestLostAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		command command
		body    []byte
		times   int
		asked   int
		took    time.Duration
		good    bool
	}{
		"a question":                    {cmdGetEUI64, nil, 1, 2, probeTime, true},
		"a question, twice":             {cmdGetEUI64, nil, 2, 3, 2 * probeTime, true},
		"a question, for good":          {cmdGetEUI64, nil, 99, 3, 3 * probeTime, false},
		"a setting":                     {cmdSetPolicy, []byte{0, 2}, 1, 2, probeTime, true},
		"a key":                         {cmdClearTransientKeys, nil, 1, 2, probeTime, true},
		"what must not be done twice":   {cmdAddEndpoint, make([]byte, 8), 1, 1, probeTime, false},
		"a message":                     {cmdSendBroadcast, make([]byte, 20), 1, 1, probeTime, false},
		"what can be done once for all": {cmdSetMfgToken, make([]byte, 10), 1, 1, probeTime, false},
	} {
		t.Run(name, func(t *testing.T) {
			every(t, func(s *scene) {
				s.resume()
				s.stick.commands()
				lost := 0
				s.stick.with(func() {
					s.stick.on[tt.command] = func(body []byte) []byte {
						if lost++; lost <= tt.times {
							return nil
						}
						answer, _ := s.stick.answer(tt.command, body)
						return answer
					}
				})
				other := make(chan time.Duration, 1)
				began := time.Now()
				time.AfterFunc(time.Millisecond, func() { // another that has nothing to do with it
					if _, err := s.radio.call(s.ctx, cmdNetworkState, nil); err != nil {
						s.Error(err)
					}
					other <- time.Since(began)
				})
				took, err := s.within(func() error { _, err := s.radio.call(s.ctx, tt.command, tt.body); return err })
				if (err == nil) != tt.good || err != nil && classOf(err) != radio.Timeout || took != tt.took {
					s.Errorf("after %v: %v", took, err)
				}
				if waited := <-other; waited != took {
					s.Errorf("another command waited %v", waited)
				}
				if n := len(find(s.stick.commands(), tt.command)); n != tt.asked {
					s.Errorf("it was asked %d times", n)
				}
				if events := s.take(); len(events) > 0 {
					s.Errorf("got %+v", events)
				}
			})
		})
	}
}

// TestSlowAnswers has the firmware take its time, as it does when it writes its flash: nothing is lost then.
func TestSlowAnswers(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.commands()
		s.stick.with(func() { // from now on all waits behind the first
			var late []func()
			s.stick.on[cmdSetPolicy] = func([]byte) []byte {
				sequence := s.radio.sequenceOf()
				late = append(late, func() { s.stick.data([]byte{sequence, 0x80, 1, byte(cmdSetPolicy), 0, 0}) })
				return nil
			}
			s.stick.on[cmdNop] = func([]byte) []byte {
				s.radio.mu.Lock()
				sequence := s.radio.waiting.probe
				s.radio.mu.Unlock()
				late = append(late, func() { s.stick.data([]byte{sequence, 0x80, 1, byte(cmdNop), 0}) })
				return nil
			}
			time.AfterFunc(3*time.Second, func() {
				s.stick.with(func() {
					for _, say := range late {
						say()
					}
				})
			})
		})
		took, err := s.within(func() error { return s.radio.setPolicy(s.ctx, policyTrustCentre, decideUnsecuredRejoins) })
		if err != nil || took != 3*time.Second {
			s.Errorf("after %v: %v", took, err)
		}
		if n := len(find(s.stick.commands(), cmdSetPolicy)); n != 1 {
			s.Errorf("it was asked %d times", n)
		}
	})
}

func (r *Radio) sequenceOf() uint8 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting.sequence
}

// TestAnswersOfAllKindsAreLost brings the network up, forms and restores, with each command's answer lost once.
func TestAnswersOfAllKindsAreLost(t *testing.T) {
	every(t, func(s *scene) {
		lost := map[command]bool{}
		var clumsy []command
		s.stick.with(func() {
			for _, c := range []command{
				cmdVersion, cmdGetEUI64, cmdGetValue, cmdSetConfiguration, cmdGetConfiguration, cmdSetPolicy, cmdAddEndpoint, cmdNetworkInit,
				cmdGetNetworkParameters, cmdLeaveNetwork, cmdFormNetwork, cmdSetInitialSecurity, cmdSetValue, cmdSetConcentrator,
				cmdSetMulticastTableEntry, cmdClearKeyTable, cmdMaximumPayloadLength,
			} {
				s.stick.on[c] = func(body []byte) []byte {
					answer, _ := s.stick.answer(c, body)
					if !lost[c] {
						lost[c] = true
						clumsy = append(clumsy, c)
						answer = nil
					}
					s.stick.aftermath(c, body)
					return answer
				}
			}
		})
		b := backup()
		took, err := s.within(func() error {
			if _, err := s.radio.Connect(s.ctx); err != nil {
				return err
			}
			_, err := s.radio.Up(s.ctx, radio.Plan{Restore: &b})
			return err
		})
		if err != nil || took > 6*time.Second {
			s.Errorf("after %v: %v", took, err)
		}
		if !slices.Contains(clumsy, cmdFormNetwork) || !slices.Contains(clumsy, cmdNetworkInit) {
			s.Errorf("lost were %v", clumsy)
		}
		if s.stick.stored == nil || s.stick.stored.pan != b.PAN {
			s.Errorf("the network is %+v", s.stick.stored)
		}
		synctest.Wait()
	})
}

// TestAnswersBehindOthers has so much to be told that answers come late: that is no reason to give up, or to reset it.
func TestAnswersBehindOthers(t *testing.T) {
	for after, want := range map[time.Duration]radio.Class{8 * time.Second: -1, time.Hour: radio.Timeout} {
		on(t, 14, func(s *scene) {
			s.resume()
			s.stick.with(func() {
				s.stick.on[cmdNop] = func([]byte) []byte { return nil }
				s.stick.on[cmdGetEUI64] = func([]byte) []byte {
					sequence := s.radio.sequenceOf()
					time.AfterFunc(after, func() {
						s.stick.with(func() { s.stick.data(append([]byte{sequence, 0x80, 1, byte(cmdGetEUI64), 0}, make([]byte, 8)...)) })
					})
					return nil
				}
			})
			ctx, enough := context.WithCancel(s.ctx)
			defer enough()
			go func() {
				for sleep(ctx, 100*time.Millisecond) == nil {
					s.stick.tell(sayMessage, s.stick.arrives(0, report(), 0x1234, 0, []byte{1, 2, 3}))
				}
			}()
			took, err := s.within(func() error { _, err := s.radio.ownAddress(s.ctx); return err })
			if classOf(err) != want || took > queueTimeout+probeAgain {
				s.Errorf("after %v: %v", took, err)
			}
			for _, e := range s.take() {
				if _, reset := e.(radio.Reset); reset {
					s.Errorf("got %+v", e)
				}
			}
		})
	}
}
