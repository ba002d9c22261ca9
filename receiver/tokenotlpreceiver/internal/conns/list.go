package conns

// links are the place of a connection in a list.
type links struct{ prev, next *Conn }

// list is a doubly linked list through its elements.
type list struct {
	links       func(c *Conn) *links // of this list
	front, back *Conn
}

// push appends a connection that is not in the list.
func (l *list) push(c *Conn) {
	*l.links(c) = links{prev: l.back}
	if l.back == nil {
		l.front = c
	} else {
		l.links(l.back).next = c
	}
	l.back = c
}

// remove takes out a connection that is in the list.
func (l *list) remove(c *Conn) {
	at := l.links(c)
	if at.prev == nil {
		l.front = at.next
	} else {
		l.links(at.prev).next = at.next
	}
	if at.next == nil {
		l.back = at.prev
	} else {
		l.links(at.next).prev = at.prev
	}
	*at = links{}
}
