package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is a page in a headless Chromium.
type browser struct {
	ctx     context.Context
	address string

	mu       sync.Mutex
	console  []string // messages and exceptions, including those of the browser itself
	requests []string // except the one for the page
}

// openPage opens a page. Without Chromium, it skips the test.
func openPage(t *testing.T, r *report) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium: ", err)
	}
	file := filepath.Join(t.TempDir(), "page.html")
	var c command
	pageFile, err := createAtomic(file, 0o600)
	require.NoError(t, err)
	require.NoError(t, c.writePage(r, &outputs{pageFile: pageFile}))

	allocator, cancelAllocator := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)

	b := &browser{ctx: ctx, address: (&url.URL{Scheme: "file", Path: file}).String()}
	b.watch(t)
	b.run(t, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.address), chromedp.WaitVisible(chromedp.CSS("#filters")))
	return b
}

// watch records messages and requests until the test ends.
func (b *browser) watch(t *testing.T) {
	t.Helper()
	messages := chromedp.Console(b.ctx)
	requests := chromedp.Events(b.ctx, network.RequestWillBeSent)
	var watchers sync.WaitGroup
	watchers.Go(func() {
		for message, err := range messages {
			if err != nil {
				return // the test has ended
			}
			b.note(&b.console, message.String())
		}
	})
	watchers.Go(func() {
		for request, err := range requests {
			if err != nil {
				return // the test has ended
			}
			if request.Request.URL != b.address && !strings.HasPrefix(request.Request.URL, "data:") {
				b.note(&b.requests, request.Request.URL)
			}
		}
	})
}

func (b *browser) note(list *[]string, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*list = append(*list, text)
}

func (b *browser) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute) // instead of hanging
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, actions...))
}

// eval returns the value of a JavaScript expression.
func eval[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err)
	return value
}

// shown returns the IDs of the pools that are shown, in order.
func (b *browser) shown(t *testing.T) []string {
	t.Helper()
	return eval[[]string](t, b, `Array.from(document.querySelectorAll('#pools tbody tr')).filter(r => r.checkVisibility()).map(r => r.dataset.id)`)
}

// assertQuiet asserts that the console is empty and nothing was requested.
func (b *browser) assertQuiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.console)
	assert.Empty(t, b.requests)
}

func pageReport() *report {
	day := func(n int) *time.Time { return aws.Time(time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)) }
	return newReport([]*row{
		{Account: "prod", Region: "us-east-1", IdentityPoolID: "us-east-1:a", IdentityPoolName: "Notes",
			SyncSessionsCount: aws.Int64(3), DataStorage: aws.Int64(9_007_199_254_740_993), LastModifiedDate: day(2)},
		{Account: "prod", Region: "us-east-1", IdentityPoolID: "us-east-1:b", DataStorage: aws.Int64(9_007_199_254_740_992), LastModifiedDate: day(3)},
		{Account: "test", Region: "eu-west-1", IdentityPoolID: "eu-west-1:c", SyncSessionsCount: aws.Int64(20)},
		{Account: "test", Region: "eu-west-1", IdentityPoolID: "eu-west-1:d",
			Error: &problem{Code: "AccessDeniedException", Reason: "no policy", Advice: "allow it"}},
	})
}

func TestPage_inBrowser(t *testing.T) {
	t.Parallel()
	const a, b1, c, d = "us-east-1:a", "us-east-1:b", "eu-west-1:c", "eu-west-1:d"
	b := openPage(t, pageReport())

	t.Log("it sorts, with what is unknown last")
	header := func(key string) string { return fmt.Sprintf("#pools th[data-key=%s] button", key) }
	for _, step := range []struct {
		key  string
		want []string
		sort string
	}{
		{"storage", []string{a, b1, c, d}, "descending"}, // a float cannot tell these apart
		{"storage", []string{b1, a, c, d}, "ascending"},
		{"sessions", []string{c, a, b1, d}, "descending"},
		{"sessions", []string{a, c, b1, d}, "ascending"},
		{"modified", []string{b1, a, c, d}, "descending"},
		{"id", []string{c, d, a, b1}, "ascending"},
		{"status", []string{d, c, a, b1}, "ascending"},
	} {
		b.run(t, chromedp.Click(chromedp.CSS(header(step.key))))
		assert.Equal(t, step.want, b.shown(t), "%s %s", step.key, step.sort)
		assert.Equal(t, step.sort, eval[string](t, b, fmt.Sprintf("document.querySelector('th[data-key=%s]').getAttribute('aria-sort')", step.key)))
		assert.Equal(t, 1, eval[int](t, b, "document.querySelectorAll('[aria-sort]').length"))
	}

	t.Log("it searches")
	b.run(t, chromedp.SendKeys(chromedp.CSS("#search"), "NOTES prod"))
	assert.Equal(t, []string{a}, b.shown(t))
	assert.Equal(t, "1 of 4 shown", eval[string](t, b, "document.getElementById('shown').textContent"))
	b.run(t, chromedp.SendKeys(chromedp.CSS("#search"), "nothing"))
	assert.Empty(t, b.shown(t))
	assert.True(t, eval[bool](t, b, "document.getElementById('none').checkVisibility()"))
	b.run(t, chromedp.Click(chromedp.CSS("#filters button[type=reset]")), chromedp.WaitNotVisible(chromedp.CSS("#none")))
	assert.Len(t, b.shown(t), 4)

	t.Log("it filters")
	choose := func(key, value string) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
			`(s => { s.value = %q; s.dispatchEvent(new Event('input', {bubbles: true})); })(document.getElementById('filter-%s'))`, value, key))
	}
	b.run(t, choose("status", "=AccessDeniedException"))
	assert.Equal(t, []string{d}, b.shown(t))
	b.run(t, choose("status", ""), choose("region", "=us-east-1"))
	assert.ElementsMatch(t, []string{a, b1}, b.shown(t))
	b.run(t, choose("region", ""), choose("account", "=test"))
	assert.ElementsMatch(t, []string{c, d}, b.shown(t))
	b.run(t, choose("account", ""))

	t.Log("it is used by keyboard: from the last filter to the first header, and sorted by it")
	b.run(t, chromedp.Focus(chromedp.CSS("#filters button[type=reset]")), chromedp.KeyEvent("\t"))
	assert.Equal(t, "Account", eval[string](t, b, "document.activeElement.textContent"))
	b.run(t, chromedp.KeyEvent("\r"))
	assert.Equal(t, "ascending", eval[string](t, b, "document.querySelector('th[data-key=account]').getAttribute('aria-sort')"))
	b.run(t, chromedp.Focus(chromedp.CSS("#pools summary")), chromedp.KeyEvent("\r"))
	assert.True(t, eval[bool](t, b, "document.querySelector('#pools details').open"))

	t.Log("what is unknown is no number")
	cells := eval[[]string](t, b, `Array.from(document.querySelector('#pools tr[data-id="us-east-1:b"]').cells, c => c.textContent)`)
	assert.Equal(t, []string{"prod", b1, "", "unknown", "9,007,199,254,740,992", "2026-01-03 00:00", "read"}, cells)

	for _, width := range []int64{390, 768, 1200} {
		b.run(t, chromedp.EmulateViewport(width, 900))
		assert.Empty(t, eval[[]string](t, b, `Array.from(document.body.querySelectorAll('*')).
			filter(e => !e.closest('.sr, .skip') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 100))`),
			"it must not scroll sideways")
	}
	b.assertQuiet(t)
}

// hostile are texts that must be shown as texts.
var hostile = []string{
	`<script>document.title='owned'</script>`,
	`"><img src=x onerror="document.title='owned'">`,
	`</script><script>document.title='owned'</script>`,
	`' onmouseover='document.title="owned"`,
	`javascript:document.title='owned'`,
	`{{.Policy}} ${document.title='owned'}`,
	"\u202eowned\u202c \x1b[31m \x00 \u2028",
	`</style><style>*{display:none}</style>`,
	`https://evil.example/x.png`,
}

func TestPage_hostileInBrowser(t *testing.T) {
	t.Parallel()
	var rows []*row
	for _, text := range hostile {
		rows = append(rows,
			&row{Account: text, Region: text, IdentityPoolID: text, IdentityPoolName: text, DataStorage: aws.Int64(1), SyncSessionsCount: aws.Int64(1)},
			&row{Account: text, Region: text, IdentityPoolID: text + "2", Error: &problem{Code: text, Reason: text, Advice: text}})
	}
	r := newReport(rows)
	r.interrupt = hostile[0]
	b := openPage(t, r)

	b.run(t, chromedp.Click(chromedp.CSS("#pools th[data-key=id] button")), chromedp.SendKeys(chromedp.CSS("#search"), "owned"))

	assert.Contains(t, eval[string](t, b, "document.title"), "Cognito Sync inventory")
	assert.Equal(t, 1, eval[int](t, b, "document.scripts.length"))
	assert.Equal(t, 0, eval[int](t, b, "document.images.length"))
	assert.Len(t, eval[[]string](t, b, "Array.from(document.querySelectorAll('#pools tbody tr'), r => r.dataset.id)"), len(rows))
	want := make([]string, len(hostile))
	for i, text := range hostile {
		want[i] = printable(text)
	}
	assert.Subset(t, eval[[]string](t, b, "Array.from(document.querySelectorAll('#pools tbody th'), h => h.textContent)"), want)
	b.assertQuiet(t)
}

// TestPage_screenshots writes pictures of a page that -html wrote, for the README:
//
//	INVENTORY_PAGE=page.html INVENTORY_SCREENSHOTS=dir go test -run screenshots .
func TestPage_screenshots(t *testing.T) {
	file, dir := os.Getenv("INVENTORY_PAGE"), os.Getenv("INVENTORY_SCREENSHOTS")
	if file == "" || dir == "" {
		t.Skip("INVENTORY_PAGE and INVENTORY_SCREENSHOTS are not set")
	}
	b := openPage(t, pageReport())
	absolute, err := filepath.Abs(file)
	require.NoError(t, err)
	b.run(t, chromedp.Navigate("file://"+absolute), chromedp.WaitVisible(chromedp.CSS("#filters")))
	scheme := func(value string) chromedp.Action[chromedp.Void] {
		return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
			})
			return err
		})
	}
	for _, shot := range []struct {
		name          string
		width, height int64
		scheme        string
		at            string // the element at the top; "" for the top of the page
	}{
		{"desktop-light", 1200, 1000, "light", ""},
		{"desktop-dark", 1200, 1000, "dark", ""},
		{"list-light", 1200, 800, "light", "#h-pools"},
		{"list-dark", 1200, 800, "dark", "#h-failures"},
		{"phone-light", 390, 844, "light", ""},
		{"phone-list", 390, 844, "dark", "#h-pools"},
	} {
		scroll := "scrollTo(0, 0)"
		if shot.at != "" {
			scroll = fmt.Sprintf("document.querySelector(%q).scrollIntoView()", shot.at)
		}
		b.run(t, chromedp.EmulateViewport(shot.width, shot.height), scheme(shot.scheme), chromedp.Evaluate[chromedp.Void](scroll))
		image, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, shot.name+".png"), image, 0o600))
	}
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4)))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "print.pdf"), pdf, 0o600))
}
