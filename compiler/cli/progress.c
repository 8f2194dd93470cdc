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

void progress_draw(Progress *p, int64_t step, int64_t steps, int64_t batch, int64_t epoch, int64_t epochs, double part, double loss)
{
    enum { BAR = 24 };
    double now = seconds_now(), elapsed = now - p->start;
    if (p->quiet || !p->terminal || now - p->last < 0.1) return;
    p->last = now;
    p->drawn = true;
    char bar[BAR + 1], left[32], line[512], of[32] = "";
    int filled = (int)(part * BAR);
    for (int i = 0; i < BAR; i++) bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    bar[BAR] = '\0';
    double done = (double)(step - p->steps_before), speed = elapsed > 0 ? done / elapsed : 0;
    format_time(left, sizeof left, speed > 0 ? (double)(steps - step) / speed : 0);
    if (epochs) snprintf(of, sizeof of, "/%lld", (long long)epochs);
    int n = snprintf(line, sizeof line, "epoch %lld%s [%s] loss %.4g  %.0f samples/s  %s left", (long long)epoch, of, bar, loss,
                     speed * (double)batch, left);
    int width = terminal_width() - 1;
    if (n > width) n = width;
    fprintf(stderr, "\r%.*s\033[K", n, line);
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
