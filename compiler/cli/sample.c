/* sample.c -- netc sample: text that a net goes on with, token by token. */
#include "sampler.h"
#include "tokens.h"
#include "trainer.h"

#include <string.h>

enum { TOKENS_DEFAULT = 200 };

typedef struct Speaker {
    const Options *options;
    Host host;
    const HostProgram *forward;
    const TextPlan *plan;
    Vocabulary vocabulary;
    Tokens said;                   /* of lines, since the last one began */
    Sampler sampler;
    int text, length, scores;      /* places among the inputs and outputs; length may be -1 */
    int64_t width, choices;        /* tokens that the net reads, and scores */
    bool follows, keeps;           /* scores at each token; the state is kept from token to token */
    double *score;
} Speaker;

/* ---- what the net must be ---- */

static int find_inputs(Speaker *s, const Unit *u)
{
    s->text = s->length = -1;
    for (int i = 0; i < s->forward->n_input; i++) {
        const char *name = s->forward->input[i]->node->name;
        if (!strcmp(name, s->plan->text)) s->text = i;
        else if (s->plan->length && !strcmp(name, s->plan->length)) s->length = i;
        else if (s->forward->input[i]->last >= 0) return fail(EXIT_model, "the outputs of '%s' need the input '%s', which is no text", u->net, name);
    }
    if (s->text < 0 || s->forward->input[s->text]->last < 0) return fail(EXIT_model, "the outputs of '%s' do not need '%s'", u->net, s->plan->text);
    const Buffer *b = s->forward->input[s->text];
    const Attr *high = node_attr(b->node, ATTR_high);
    if (!high || b->shape.rank > 2) return fail(EXIT_model, "'%s' must be i32[TOKENS] in 0..VOCABULARY", s->plan->text);
    s->width = b->shape.rank > 1 ? b->shape.dim[1] : 1;
    s->choices = high->ints[0];
    return 0;
}

/* The first output of [width, choices] or [choices]. */
static int find_scores(Speaker *s, const Unit *u)
{
    for (int i = 0; i < s->forward->n_output; i++) {
        const Buffer *b = s->forward->output[i];
        const Shape *shape = &b->shape;
        s->follows = shape->rank == 3 && shape->dim[1] == s->width;
        if (b->dtype != DTYPE_f32 || shape->dim[shape->rank - 1] != s->choices || (shape->rank != 2 && !s->follows)) continue;
        s->scores = i;
        return 0;
    }
    return fail(EXIT_model, "'%s' has no output f32[%lld, %lld] or f32[%lld] that scores every token", u->net, (long long)s->width,
                (long long)s->choices, (long long)s->choices);
}

static int begin(Speaker *s, const Unit *u)
{
    Input in = {.arena = s->options->arena, .name = "--prompt"};
    const char *prompt = s->options->prompt ? s->options->prompt : s->plan->lines ? "" : "\n";
    Encoder e = encoder_new(&s->vocabulary, &in);
    int status = find_inputs(s, u);
    if (!status) status = find_scores(s, u);
    if (status) return status;
    if (s->vocabulary.piece.at.n > s->choices)
        return fail(EXIT_model, "the vocabulary has %d tokens, but the net scores %lld", s->vocabulary.piece.at.n, (long long)s->choices);
    s->score = NEW_ARRAY(in.arena, double, s->choices);
    s->keeps = u->memory[0].n && s->width == 1;
    if (s->plan->lines) vec_push(in.arena, &s->said, 0);
    for (size_t i = 0, n, size = strlen(prompt); i < size; i += n)
        if (!(n = (size_t)utf8_length(prompt + i, size - i))) return usage_error(s->options->command, "--prompt: this is not text in UTF-8");
    bool known = encode(&e, (Slice){prompt, strlen(prompt)}, &s->said);
    if (!known && s->options->prompt) return fail(EXIT_model, "%s", in.why);
    if (!s->said.n) vec_push(in.arena, &s->said, 0);
    return 0;
}

/* ---- speaking ---- */

/* Reads the last tokens up to number `n`; the scores are those of what follows. */
static void read_tokens(Speaker *s, int64_t n, uint64_t step)
{
    const int64_t count = n < s->width ? n : s->width;
    int32_t *text = s->forward->input_data[s->text];
    for (int64_t i = 0; i < s->width; i++) text[i] = i < count ? s->said.at[n - count + i] : 0;
    if (s->length >= 0) *(int32_t *)s->forward->input_data[s->length] = (int32_t)count;
    s->host.call = (HostCall){.seed = s->sampler.seed, .step = step};
    if (!s->keeps) host_reset(&s->host, 0);
    host_run(&s->host, PROGRAM_forward);
    const int64_t row = s->follows ? count - 1 : 0;
    for (int64_t i = 0; i < s->choices; i++)
        s->score[i] = host_get(&s->host, DTYPE_f32, s->forward->output_data[s->scores], row * s->choices + i);
}

/* True where a line ends: what was said is forgotten. */
static bool say(Speaker *s, int token)
{
    const Slice *piece = &s->vocabulary.piece.at.at[token];
    const bool ends = s->plan->lines && token == 0;
    if (ends) putchar('\n');
    else fwrite(piece->s, 1, piece->n, stdout);
    fflush(stdout);
    if (ends) s->said.n = 0;
    vec_push(s->options->arena, &s->said, token);
    return ends;
}

static void speak(Speaker *s)
{
    const int64_t tokens = s->options->tokens ? s->options->tokens : TOKENS_DEFAULT;
    bool ended = false;
    if (s->options->prompt) fputs(s->options->prompt, stdout);
    for (int64_t n = 1; s->keeps && n < s->said.n; n++) read_tokens(s, n, 0);
    for (int64_t i = 0; i < tokens; i++) {
        if (ended && s->keeps) host_reset(&s->host, 0);
        read_tokens(s, s->said.n, (uint64_t)i);
        ended = say(s, sampler_draw(&s->sampler, s->score, s->vocabulary.piece.at.n, (uint64_t)i));
    }
    if (!ended) putchar('\n');
}

/* ---- the command ---- */

static int check_options(const Options *o)
{
    if (!o->weights) return usage_error(o->command, "--weights W.safetensors is missing");
    if (o->batch > 1) return usage_error(o->command, "--batch: one text is made at a time");
    if (o->top_p <= 0 || o->top_p > 1) return usage_error(o->command, "--top-p %g: a number above 0, at most 1, is expected", o->top_p);
    return 0;
}

static int find_plan(Session *s)
{
    const char *net = resolve_net_name(s->model, s->options->net);
    if (!net || !resolve_train(s->model, &s->compile.resolve, net, &s->plan)) return EXIT_model;
    return s->plan.tokens.text ? 0 : fail(EXIT_model, "'%s' reads no text: its train block has no `tokens`", net);
}

int command_sample(const Options *o)
{
    Session s;
    Speaker *k = NEW(o->arena, Speaker);
    int status = check_options(o);
    if (!status) status = session_open(&s, o, "native");
    if (!status) status = require_native(&s);
    if (!status) status = find_plan(&s);
    if (!status) status = session_compile(&s);
    if (!status) status = vocabulary_load(o->arena, o->weights, &s.plan.tokens, &k->vocabulary);
    if (!status) status = host_open(&k->host, o->arena, &s.unit);
    if (status) return status;
    weights_from_values(&k->host);
    k->options = o;
    k->plan = &s.plan.tokens;
    k->forward = &k->host.program[PROGRAM_forward];
    k->sampler = (Sampler){o->temperature, o->top_k, o->top_p, o->seed >= 0 ? (uint64_t)o->seed : 42};
    status = begin(k, &s.unit);
    if (!status) speak(k);
    host_close(&k->host);
    return status;
}
