// Package linked has a list that any element can be taken from.
package linked

// List is a doubly linked list through its elements, so that it allocates
// nothing.
type List[T any] struct {
	// Links returns the part of an element that belongs to this list.
	Links       func(*T) *Links[T]
	Front, Back *T
}

// Links are an element's neighbours.
type Links[T any] struct{ Prev, Next *T }

// Push appends an element that is not in the list.
func (l *List[T]) Push(e *T) {
	*l.Links(e) = Links[T]{Prev: l.Back}
	if l.Back == nil {
		l.Front = e
	} else {
		l.Links(l.Back).Next = e
	}
	l.Back = e
}

// Remove takes out an element that is in the list.
func (l *List[T]) Remove(e *T) {
	at := l.Links(e)
	if at.Prev == nil {
		l.Front = at.Next
	} else {
		l.Links(at.Prev).Next = at.Next
	}
	if at.Next == nil {
		l.Back = at.Prev
	} else {
		l.Links(at.Next).Prev = at.Prev
	}
	*at = Links[T]{}
}
