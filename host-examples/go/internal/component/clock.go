package component

import (
	"sync"
	"time"
)

// clock ends a call that runs for too long, without the time that imports take.
type clock struct {
	limit time.Duration

	mutex   sync.Mutex
	timer   *time.Timer
	expire  func()
	since   time.Time
	used    time.Duration
	running bool
	expired bool
}

// start begins a call; expire is called when its time is over.
func (c *clock) start(expire func()) {
	if c.limit <= 0 {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.expire, c.used, c.expired = expire, 0, false
	c.run()
}

// stop ends a call and tells whether its time was over.
func (c *clock) stop() (expired bool) {
	c.pause()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.expired
}

// pause begins the time of an import.
func (c *clock) pause() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.running {
		c.timer.Stop()
		c.running = false
		c.used += time.Since(c.since)
	}
}

// resume ends the time of an import.
func (c *clock) resume() {
	if c.limit <= 0 {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.run()
}

// run is called with the mutex held.
func (c *clock) run() {
	c.running, c.since = true, time.Now()
	if c.timer == nil {
		c.timer = time.AfterFunc(c.limit-c.used, c.look)
	} else {
		c.timer.Reset(c.limit - c.used)
	}
}

// look is called by the timer, perhaps too late for the call that set it.
func (c *clock) look() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.running && c.used+time.Since(c.since) >= c.limit {
		c.expired = true
		c.expire()
	}
}
