package zigbee

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/zcl"
)

// A groupScene is what the members of a group shall be when it is recalled. The members themselves keep that (ZCL 3.7);
// its name, and who has it, are kept here.
type groupScene struct {
	ID      uint8   `json:"id"`
	Name    string  `json:"name"`
	Members []place `json:"members"` // that have stored it
}

const maxScenes = 32 // of one group; many devices keep no more than 16 in all

func (g *group) scene(id uint8) int {
	return slices.IndexFunc(g.Scenes, func(sc groupScene) bool { return sc.ID == id })
}

// A memberOutcome is what came of asking a member.
type memberOutcome struct {
	Member  place  `json:"member"`
	Name    string `json:"name"`
	Done    bool   `json:"done"`
	Problem string `json:"problem,omitempty"`
}

// A sceneOutcome is a scene, and what came of it at each member.
type sceneOutcome struct {
	ID      uint8           `json:"id"`
	Name    string          `json:"name"`
	Members []memberOutcome `json:"members"`
}

// memberTime is how long the members of a group get to answer before the caller is told how it went.
const memberTime = 20 * time.Second

// storeScene has the members of a group keep what they are now as a scene; id 0 is the first free one. It fails when
// no member keeps it.
func (d *driver) storeScene(ctx context.Context, number uint16, id uint8, name string) (sceneOutcome, error) {
	s, err := d.live()
	if err != nil {
		return sceneOutcome{}, err
	}
	d.mu.Lock()
	g, err := d.groupByNumber(number)
	if err == nil {
		id, err = g.sceneNumber(id, name)
	}
	if err != nil {
		d.mu.Unlock()
		return sceneOutcome{}, err
	}
	if i := g.scene(id); name == "" && i >= 0 {
		name = g.Scenes[i].Name
	}
	d.mu.Unlock()
	if name == "" {
		name = fmt.Sprintf("Scene %d", id)
	}
	out := sceneOutcome{ID: id, Name: name, Members: s.askScene(ctx, g, zcl.CmdScenesStore, id)}
	sc := groupScene{ID: id, Name: name}
	err = hearth.Errorf(hearth.CodeFailed, "group %d has no member that keeps scenes", number)
	for _, m := range out.Members {
		if m.Done {
			sc.Members = append(sc.Members, m.Member)
		} else {
			err = hearth.Errorf(hearth.CodeFailed, "no member of group %d keeps the scene; %s: %s", number, m.Member, m.Problem)
		}
	}
	if len(sc.Members) == 0 {
		return sceneOutcome{}, err
	}
	d.mu.Lock()
	g.Scenes = slices.Clone(g.Scenes)
	if i := g.scene(id); i >= 0 {
		g.Scenes[i] = sc
	} else {
		g.Scenes = append(g.Scenes, sc)
	}
	d.mu.Unlock()
	return out, d.keepGroup(number)
}

// sceneNumber returns the number of a scene that is to be stored; driver.mu is held.
func (g *group) sceneNumber(id uint8, name string) (uint8, error) {
	if len(name) > maxName {
		return 0, hearth.Errorf(hearth.CodeBadValue, "a scene's name has at most %d bytes", maxName)
	}
	if id > highestScene {
		return 0, hearth.Errorf(hearth.CodeBadValue, "a scene's number is 1 to %d, not %d", highestScene, id)
	}
	if id == 0 {
		for id = 1; g.scene(id) >= 0; {
			id++
		}
	}
	if g.scene(id) < 0 && len(g.Scenes) >= maxScenes {
		return 0, hearth.Errorf(hearth.CodeConflict, "group %d has %d scenes already: remove one", g.Number, maxScenes)
	}
	return id, nil
}

// removeScene has the members of a group forget a scene. Those that do not answer keep it, which does no harm.
func (d *driver) removeScene(ctx context.Context, number uint16, id uint8) (sceneOutcome, error) {
	s, err := d.live()
	if err != nil {
		return sceneOutcome{}, err
	}
	d.mu.Lock()
	g, err := d.groupByNumber(number)
	if err == nil && g.scene(id) < 0 {
		err = g.noScene(id)
	}
	if err != nil {
		d.mu.Unlock()
		return sceneOutcome{}, err
	}
	out := sceneOutcome{ID: id, Name: g.Scenes[g.scene(id)].Name}
	d.mu.Unlock()
	out.Members = s.askScene(ctx, g, zcl.CmdScenesRemove, id)
	d.mu.Lock()
	g.Scenes = slices.DeleteFunc(slices.Clone(g.Scenes), func(sc groupScene) bool { return sc.ID == id })
	d.mu.Unlock()
	return out, d.keepGroup(number)
}

func (g *group) noScene(id uint8) error {
	return hearth.Errorf(hearth.CodeNotFound, "group %d has no scene %d: %s", g.Number, id, g.scenesNamed())
}

func (g *group) scenesNamed() string {
	if len(g.Scenes) == 0 {
		return "it has none yet"
	}
	says := "it has"
	for i, sc := range g.Scenes {
		if i > 0 {
			says += ","
		}
		says += fmt.Sprintf(" %d (%s)", sc.ID, sc.Name)
	}
	return says
}

// askScene asks each member that keeps scenes for something about one of the group's, a few at a time.
func (s *session) askScene(ctx context.Context, g *group, command, id uint8) []memberOutcome {
	ctx, cancel := context.WithTimeout(ctx, memberTime)
	defer cancel()
	s.d.mu.Lock()
	var parts []groupPart
	var outcomes []memberOutcome
	for _, part := range g.parts {
		if part.keepsScenes() {
			parts = append(parts, part)
			outcomes = append(outcomes, memberOutcome{Member: place{part.dev.IEEE, part.endpoint}, Name: part.dev.told.Name})
		}
	}
	s.d.mu.Unlock()
	var asking sync.WaitGroup
	for i, part := range parts {
		asking.Go(func() {
			select {
			case s.d.groups.places <- struct{}{}:
				defer func() { <-s.d.groups.places }()
			case <-ctx.Done():
			}
			outcomes[i].Problem = s.askSceneOf(ctx, g.Number, part, command, id)
			outcomes[i].Done = outcomes[i].Problem == ""
		})
	}
	asking.Wait()
	return outcomes
}

// askSceneOf returns what a member has against a command about a scene, "" for nothing.
func (s *session) askSceneOf(ctx context.Context, number uint16, part groupPart, command, id uint8) string {
	s.d.mu.Lock()
	part.dev.asks++
	s.d.mu.Unlock()
	payload := append(binary.LittleEndian.AppendUint16(nil, number), id)
	status, err := s.askStatus(ctx, part.dev, part.endpoint, zcl.ClusterScenes, zcl.ClusterCommand(command, payload...))
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	part.dev.asks--
	switch {
	case err != nil:
		return err.Error()
	case status == zcl.Success, status == zcl.NotFound && command == zcl.CmdScenesRemove:
		return ""
	case status == zcl.InsufficientSpace:
		return "the device has no room for one more scene"
	case status == zcl.InvalidField:
		s.renewGroups(part.dev)
		return "the device is not in the group: it is told again"
	}
	return fmt.Sprintf("the device refuses: %s", status)
}

// recallScene has the members of a group become what a scene says: one message to all, and one to each member that does
// not hear it. What they are then is read.
func (s *session) recallScene(ctx context.Context, g *group, id uint8, set map[string]hearth.Value) error {
	transition, timed := set["transition"]
	if len(set) > 2 || len(set) == 2 && !timed {
		return hearth.Errorf(hearth.CodeBadValue, "a scene says all that its members shall be: give scene alone, or with transition")
	}
	s.d.mu.Lock()
	i := g.scene(id)
	if i < 0 {
		err := hearth.Errorf(hearth.CodeBadValue, "group %d has no scene %d: %s", g.Number, id, g.scenesNamed())
		s.d.mu.Unlock()
		return err
	}
	members := g.Scenes[i].Members
	var parts []groupPart
	hearing := 0
	for _, part := range g.parts {
		if slices.Contains(members, place{part.dev.IEEE, part.endpoint}) {
			parts = append(parts, part)
			part.dev.noLonger()
			if g.reaches(part) {
				hearing++
			}
		}
	}
	s.d.mu.Unlock()
	payload := append(binary.LittleEndian.AppendUint16(nil, g.Number), id)
	if timed {
		tenths := min(math.Round(transition.Number()*10), math.MaxUint16-1)
		payload = binary.LittleEndian.AppendUint16(payload, uint16(tenths))
	}
	recall := expose.Request{Cluster: zcl.ClusterScenes, Frame: zcl.ClusterCommand(zcl.CmdScenesRecall, payload...), Answer: true}
	if hearing > 0 {
		if err := s.tellAll(ctx, g.Number, recall); err != nil {
			return err
		}
	}
	takes := min(transition.Number(), longestScene.Seconds())
	return s.recallAlone(ctx, g, parts, recall, hearing, time.Duration(takes*float64(time.Second)))
}

// longestScene is how long a transition is waited for before what it led to is read; after that devices say it themselves.
const longestScene = time.Minute

// noLonger ends the wait for what the device was last asked for, since it was asked for something else; driver.mu is held.
func (dev *device) noLonger() {
	if c := dev.confirm; c != nil {
		dev.confirm = nil
		c.heard()
	}
}

// recallAlone recalls a scene at each member that does not hear what is sent to the group, and reads what all are then.
func (s *session) recallAlone(ctx context.Context, g *group, parts []groupPart, recall expose.Request, hearing int, takes time.Duration) error {
	told := make(chan error, len(parts))
	s.d.mu.Lock()
	for i, part := range parts {
		r := recall
		r.Endpoint = part.endpoint
		if g.reaches(part) {
			s.readLater(part, takes+readBacks()[1]+settling(i))
			continue
		}
		started := s.background(part.dev, func(ctx context.Context) error {
			err := s.send(ctx, part.dev, r)
			if err == nil {
				s.d.mu.Lock()
				s.readLater(part, takes+readBacks()[1])
				s.d.mu.Unlock()
			}
			told <- err
			return err
		})
		if !started {
			told <- hearth.Errorf(hearth.CodeBusy, "too much goes on at once: try again later")
		}
	}
	s.d.mu.Unlock()
	if hearing > 0 {
		return nil
	}
	return firstSuccess(ctx, told, len(parts))
}

// readLater reads what a member of a group is, after a while; driver.mu is held.
func (s *session) readLater(part groupPart, wait time.Duration) {
	if part.dev.reach == unreachable {
		return
	}
	var reads []expose.Read
	for _, r := range part.dev.model.Setup().Reads {
		switch r.Cluster {
		case zcl.ClusterOnOff, zcl.ClusterLevelControl, zcl.ClusterColorControl, zcl.ClusterWindowCovering:
			if r.Endpoint == part.endpoint {
				reads = append(reads, r)
			}
		}
	}
	s.tasks.start(func() {
		if !pause(s.ctx, wait) {
			return
		}
		ctx, cancel := context.WithTimeout(s.ctx, backgroundTime)
		defer cancel()
		for _, r := range reads {
			if err := s.read(ctx, part.dev, r); err != nil {
				s.log.Debug("what a scene did was not read back", "device", part.dev.id, "error", err)
				return
			}
		}
	})
}
