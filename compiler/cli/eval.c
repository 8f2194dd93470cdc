/* eval.c -- netc eval: loss and every metric over a whole set. */
#include "tokens.h"
#include "trainer.h"

#include <math.h>

static void put_number(Text *out, double x)
{
    if (isfinite(x)) text_double(out, x);
    else text_puts(out, "null");
}

static void print_json(const Score *score, double loss, Arena *a)
{
    Text out = {.arena = a};
    text_printf(&out, "{\"samples\": %lld, \"loss\": ", (long long)score->samples);
    put_number(&out, loss);
    text_puts(&out, ", \"metrics\": {");
    for (int i = 0; i < score->n_metric; i++) {
        if (i) text_puts(&out, ", ");
        text_json(&out, score->metric[i].name);
        text_puts(&out, ": ");
        put_number(&out, score->metric[i].value);
    }
    text_puts(&out, "}}\n");
    fputs(text_string(&out), stdout);
}

static void print_text(const Score *score, double loss)
{
    printf("samples %lld\nloss %.6g\n", (long long)score->samples, loss);
    for (int i = 0; i < score->n_metric; i++) printf("%s %.6g\n", score->metric[i].name, score->metric[i].value);
}

int command_eval(const Options *o)
{
    Session s;
    int status = session_open(&s, o, "native");
    if (!status) status = require_native(&s);
    s.compile.train = s.compile.no_forward = s.compile.no_gradient = s.compile.no_step = true;
    if (!status) status = session_compile(&s);
    if (!status && !o->weights && s.unit.weights.n) status = usage_error(o->command, "--weights W.safetensors is missing");
    if (status) return status;
    Host host = {0};
    Dataset data, known = {0};
    status = known_vocabulary(&known, o->arena, o->weights, &s.plan.tokens);
    if (!status) status = dataset_load(&data, o->arena, o->input.at, o->input.n, s.unit.evaluate, &known, &s.plan.tokens);
    if (!status) status = host_open(&host, o->arena, &s.unit);
    if (!status) {
        Score score;
        weights_from_values(&host);
        score_init(&score, o->arena, &host, PROGRAM_evaluate);
        double loss = evaluate_all(&score, &data, &host, o->arena, NULL);
        if (o->format && o->format[0] == 'j') print_json(&score, loss, o->arena);
        else print_text(&score, loss);
    }
    host_close(&host);
    return status;
}
