package parquetfile

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	v1 "github.com/spanlake/spanlake/internal/schema/v1"
)

const hourNanos = int64(time.Hour)

// maxPartitions bounds the files of a segment and signal: a sender with wild
// timestamps would make one a row, each with its syncs.
const maxPartitions = 256

// partition is what becomes one file: rows of one retention and, but for those
// of merged partitions, of one hour.
type partition struct {
	retention string
	hour      int64    // since 1970 UTC
	order     []uint32 // row numbers, sorted as the file is
}

// key is what rows are sorted by; ranks stand for the strings. The row number
// makes the order total, so that the same rows give the same file.
type key struct {
	partition, service uint32
	time               int64
	row                uint32
}

type place struct {
	retention string
	hour      int64
}

func comparePlaces(a, b place) int {
	return cmp.Or(strings.Compare(a.retention, b.retention), cmp.Compare(a.hour, b.hour))
}

// Times that are not believed: before this one, and further ahead of the arrival.
const (
	earliest = int64(946_684_800) * int64(time.Second) // 2000-01-01
	ahead    = int64(24 * time.Hour)
)

// filing says under which hours rows of a retention go.
type filing struct {
	arrived, latest int64
	// expired is the last hour that was over when the rows arrived: rows of it and
	// of those before go there, and all go with the next sweep.
	expired int64
}

func newFiling(retention string, arrived int64) filing {
	if arrived == 0 {
		return filing{latest: math.MaxInt64, expired: math.MinInt64}
	}
	days := Partition{Retention: retention}.Days()
	return filing{arrived, arrived + ahead, (arrived-int64(days)*24*hourNanos)/hourNanos - 1}
}

func (f filing) hour(t int64) int64 {
	if f.arrived != 0 && (t < earliest || t > f.latest) {
		return f.arrived / hourNanos
	}
	return max(t/hourNanos, f.expired)
}

// plan divides rows into partitions, sorted by retention and hour, and sorts
// each by service and time. Where there are more partitions than most, the rows
// of the smallest are filed with the largest of the same retention. It costs 28
// bytes a row, however many the partitions are.
func plan(rows *v1.Rows, most int, arrived int64) []partition {
	n := rows.Len()
	if n == 0 {
		return nil
	}
	schema := rows.Schema()
	timeAt, serviceAt, retentionAt := schema.Index(v1.ColTimestamp), schema.Index(v1.ColServiceName), schema.Index(v1.ColRetention)

	services := newRanks(strings.Compare)
	places := newRanks(comparePlaces)
	keys := make([]key, n)
	var last place
	var file filing
	for row := range keys {
		k := &keys[row]
		k.row = uint32(row)
		k.time, _ = rows.Num(timeAt, row)
		here := last
		if row == 0 || !rows.SameString(retentionAt, row-1, row) {
			here.retention = text(rows, retentionAt, row)
			file = newFiling(here.retention, arrived)
		}
		here.hour = file.hour(k.time)
		switch {
		case row > 0 && here == last:
			k.partition = keys[row-1].partition
		default:
			k.partition = places.number(here)
			last = here
		}
		if row > 0 && rows.SameString(serviceAt, row-1, row) {
			k.service = keys[row-1].service
		} else {
			k.service = services.number(text(rows, serviceAt, row))
		}
	}
	if len(places.values) > most {
		target := mergePlaces(places.values, sizes(keys, len(places.values)), most)
		for i := range keys {
			keys[i].partition = target[keys[i].partition]
		}
	}
	serviceRank, placeRank := services.ranks(), places.ranks()
	for i := range keys {
		keys[i].service = serviceRank[keys[i].service]
		keys[i].partition = placeRank[keys[i].partition]
	}
	slices.SortFunc(keys, compareKeys)

	order := make([]uint32, n)
	partitions := make([]partition, 0, min(len(places.values), most))
	slices.SortFunc(places.values, places.compare)
	for from := 0; from < n; {
		to := from
		for ; to < n && keys[to].partition == keys[from].partition; to++ {
			order[to] = keys[to].row
		}
		at := places.values[keys[from].partition]
		partitions = append(partitions, partition{at.retention, at.hour, order[from:to:to]})
		from = to
	}
	return partitions
}

func sizes(keys []key, partitions int) []int {
	rows := make([]int, partitions)
	for i := range keys {
		rows[keys[i].partition]++
	}
	return rows
}

// mergePlaces says for each place where its rows go, such that at most so many are
// left: the largest of each retention, whatever their number, for a row never
// changes its retention, and then the largest of all. Of places of equal size
// the earlier counts as the larger, so that the same rows go the same ways.
func mergePlaces(places []place, rows []int, most int) []uint32 {
	bySize := make([]uint32, len(places))
	for i := range bySize {
		bySize[i] = uint32(i)
	}
	slices.SortFunc(bySize, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(rows[b], rows[a]), comparePlaces(places[a], places[b]))
	})
	largest := map[string]uint32{} // by retention
	for _, n := range bySize {
		if _, there := largest[places[n].retention]; !there {
			largest[places[n].retention] = n
		}
	}
	target := make([]uint32, len(places))
	left := most - len(largest)
	for _, n := range bySize {
		to := largest[places[n].retention]
		if n != to && left > 0 {
			left--
			to = n
		}
		target[n] = to
	}
	return target
}

func compareKeys(a, b key) int {
	switch {
	case a.partition != b.partition:
		return cmp.Compare(a.partition, b.partition)
	case a.service != b.service:
		return cmp.Compare(a.service, b.service)
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	default:
		return cmp.Compare(a.row, b.row)
	}
}

func text(rows *v1.Rows, column, row int) string {
	v, _ := rows.String(column, row)
	return string(v)
}

// ranks numbers distinct values as they come, and ranks them at the end.
type ranks[T comparable] struct {
	compare func(a, b T) int
	numbers map[T]uint32
	values  []T
}

func newRanks[T comparable](compare func(a, b T) int) *ranks[T] {
	return &ranks[T]{compare: compare, numbers: map[T]uint32{}}
}

func (r *ranks[T]) number(v T) uint32 {
	n, ok := r.numbers[v]
	if !ok {
		n = uint32(len(r.values))
		r.numbers[v] = n
		r.values = append(r.values, v)
	}
	return n
}

// ranks gives each number the position of its value in their order.
func (r *ranks[T]) ranks() []uint32 {
	byValue := make([]uint32, len(r.values))
	for i := range byValue {
		byValue[i] = uint32(i)
	}
	slices.SortFunc(byValue, func(a, b uint32) int { return r.compare(r.values[a], r.values[b]) })
	rank := make([]uint32, len(byValue))
	for i, n := range byValue {
		rank[n] = uint32(i)
	}
	return rank
}
