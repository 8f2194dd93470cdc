/* progress.c -- the moving line of training. */
#include "progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_init(Progress *p, bool quiet, int64_t steps_before)
{
    *p = (Progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO) != 0, .start = seconds_now(), .steps_before = steps_before};
}

static int terminal_width(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void format_time(char *out, size_t size, double seconds)
{
    long long s = seconds > 0 ? (long long)(seconds + 0.5) : 0;
    if (s >= 3600) snprintf(out, size, "%lldh%02lld", s / 3600, s / 60 % 60);
    else snprintf(out, size, "%lld:%02lld", s / 60, s % 60);
}

bool progress_due(const Progress *p) { return !p->quiet && p->terminal && seconds_now() - p->last >= 0.1; }

void progress_draw(Progress *p, const Standing *s)
{
    enum { BAR = 24 };
    char bar[BAR + 1], left[32], line[512], of[32] = "", metric[80] = "";
    p->last = seconds_now();
    p->drawn = true;
    int filled = (int)(s->part * BAR);
    for (int i = 0; i < BAR; i++) bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    bar[BAR] = '\0';
    double elapsed = p->last - p->start, speed = elapsed > 0 ? (double)(s->step - p->steps_before) / elapsed : 0;
    format_time(left, sizeof left, speed > 0 ? (double)(s->steps - s->step) / speed : 0);
    if (s->epochs) snprintf(of, sizeof of, "/%lld", (long long)s->epochs);
    if (s->metric) snprintf(metric, sizeof metric, "  %s %.4g", s->metric->name, s->metric->value);
    int n = snprintf(line, sizeof line, "epoch %lld%s [%s] loss %.4g%s  %.0f samples/s  %s left", (long long)s->epoch, of, bar,
                     s->loss, metric, speed * (double)s->batch, left);
    int width = terminal_width() - 1;
    fprintf(stderr, "\r%.*s\033[K", n > width ? width : n, line);
    fflush(stderr);
}

void progress_clear(Progress *p)
{
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

void metrics_print(FILE *out, const char *prefix, double loss, const Metric *metric, int n)
{
    fprintf(out, "  %sloss %.6g", prefix, loss);
    for (int i = 0; i < n; i++) fprintf(out, "  %s%s %.6g", prefix, metric[i].name, metric[i].value);
}
