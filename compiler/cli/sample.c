/* sample.c -- netc sample: text that a net goes on with, token by token. */
#include "sampler.h"
#include "tokens.h"
#include "trainer.h"

#include <string.h>

enum { TOKENS_DEFAULT = 200 };

/* A program that reads tokens: places among its inputs and outputs, `length` -1 where it has none. */
typedef struct Reader {
    Unit unit;
    Host host;
    ProgramKind kind;
    const HostProgram *program;    /* NULL: not opened */
    int text, length, scores;
    int64_t takes, choices;        /* tokens in a call, and those that are scored */
    bool follows;                  /* scores at each token */
} Reader;

typedef struct Speaker {
    const Session *session;
    const Options *options;
    Reader next, whole;            /* takes one token after the other; reads the window anew for each token */
    bool steps, keeps;             /* next serves; whole keeps its state from token to token */
    int64_t heard;                 /* tokens of `said` that next has taken */
    const TextPlan *plan;
    Vocabulary vocabulary;
    Tokens said;                   /* of lines, since the last one began */
    Sampler sampler;
    double *score;
} Speaker;

/* ---- what the net must be ---- */

static int find_inputs(Reader *r, const TextPlan *plan)
{
    const HostProgram *p = r->program;
    r->text = r->length = -1;
    for (int i = 0; i < p->n_input; i++) {
        const char *name = p->input[i]->node->name;
        if (!strcmp(name, plan->text)) r->text = i;
        else if (plan->length && !strcmp(name, plan->length)) r->length = i;
        else if (p->input[i]->last >= 0) return fail(EXIT_model, "the outputs of '%s' need the input '%s', which is no text", r->unit.net, name);
    }
    if (r->text < 0 || p->input[r->text]->last < 0) return fail(EXIT_model, "the outputs of '%s' do not need '%s'", r->unit.net, plan->text);
    const Buffer *b = p->input[r->text];
    const Attr *high = node_attr(b->node, ATTR_high);
    if (!high || b->shape.rank > 2) return fail(EXIT_model, "'%s' must be i32[TOKENS] in 0..VOCABULARY", plan->text);
    r->takes = b->shape.rank > 1 ? b->shape.dim[1] : 1;
    r->choices = high->ints[0];
    return 0;
}

/* The first output of [width, choices] or [choices]. */
static int find_scores(Reader *r)
{
    const int64_t width = r->kind == PROGRAM_next ? r->program->program->graph->steps : r->takes;
    for (int i = 0; i < r->program->n_output; i++) {
        const Buffer *b = r->program->output[i];
        const Shape *shape = &b->shape;
        r->follows = shape->rank == 3 && shape->dim[1] == r->takes;
        if (b->dtype != DTYPE_f32 || shape->dim[shape->rank - 1] != r->choices || (shape->rank != 2 && !r->follows)) continue;
        r->scores = i;
        return 0;
    }
    return fail(EXIT_model, "'%s' has no output f32[%lld, %lld] or f32[%lld] that scores every token", r->unit.net, (long long)width,
                (long long)r->choices, (long long)r->choices);
}

static int reader_open(Speaker *s, Reader *r, ProgramKind kind)
{
    r->kind = kind;
    r->unit = s->session->unit;
    if (kind == PROGRAM_next) r->unit.forward = NULL;
    else r->unit.next = NULL;
    int status = host_open(&r->host, s->options->arena, &r->unit);
    if (status) return status;
    r->program = &r->host.program[kind];
    weights_from_values(&r->host);
    status = find_inputs(r, s->plan);
    return status ? status : find_scores(r);
}

/* Next serves where it takes a token, and nothing that speaks of the whole text. */
static bool steps_by_token(const Program *next, const TextPlan *plan)
{
    bool token = false;
    for (int i = 0; next && i < next->buffer.n; i++) {
        const Buffer *b = next->buffer.at[i];
        if (b->kind != BUF_input || b->base || b->last < 0) continue;
        if (plan->length && !strcmp(b->node->name, plan->length)) return false;
        token |= !strcmp(b->node->name, plan->text) && b->shape.rank == 2 && b->elements == 1;
    }
    return token && next->graph->steps > 1;
}

/* Whether next gets to token number `n`. */
static bool can_step(const Speaker *s, int64_t n)
{
    const Graph *next = s->steps ? s->session->unit.next->graph : NULL;
    return next && (n <= next->steps || !next->steps_end);
}

static int take_prompt(Speaker *s)
{
    Input in = {.arena = s->options->arena, .name = "--prompt"};
    const char *prompt = s->options->prompt ? s->options->prompt : s->plan->lines ? "" : "\n";
    Encoder e = encoder_new(&s->vocabulary, &in);
    if (s->plan->lines) vec_push(in.arena, &s->said, 0);
    for (size_t i = 0, n, size = strlen(prompt); i < size; i += n)
        if (!(n = (size_t)utf8_length(prompt + i, size - i))) return usage_error(s->options->command, "--prompt: this is not text in UTF-8");
    bool known = encode(&e, (Slice){prompt, strlen(prompt)}, &s->said);
    if (!known && s->options->prompt) return fail(EXIT_model, "%s", in.why);
    if (!s->said.n) vec_push(in.arena, &s->said, 0);
    return 0;
}

static int begin(Speaker *s)
{
    int status = take_prompt(s);
    if (status) return status;
    s->steps = can_step(s, s->said.n);
    Reader *r = s->steps ? &s->next : &s->whole;
    status = reader_open(s, r, s->steps ? PROGRAM_next : PROGRAM_forward);
    if (status) return status;
    if (s->vocabulary.piece.at.n > r->choices)
        return fail(EXIT_model, "the vocabulary has %d tokens, but the net scores %lld", s->vocabulary.piece.at.n, (long long)r->choices);
    s->score = NEW_ARRAY(s->options->arena, double, r->choices);
    s->keeps = !s->steps && r->unit.memory[MEMORY_forward].n && r->takes == 1;
    return 0;
}

/* ---- speaking ---- */

static void run_reader(Speaker *s, Reader *r, int64_t count, uint64_t step)
{
    const int64_t row = r->follows ? count - 1 : 0;
    r->host.call = (HostCall){.seed = s->sampler.seed, .step = step};
    host_run(&r->host, r->kind);
    for (int64_t i = 0; i < r->choices; i++)
        s->score[i] = host_get(&r->host, DTYPE_f32, r->program->output_data[r->scores], row * r->choices + i);
}

/* The tokens up to number `n` that next has not taken yet. */
static void step_tokens(Speaker *s, int64_t n, uint64_t step)
{
    if (!s->heard) host_reset(&s->next.host, MEMORY_next);
    for (; s->heard < n; s->heard++) {
        *(int32_t *)s->next.program->input_data[s->next.text] = s->said.at[s->heard];
        run_reader(s, &s->next, 1, step);
    }
}

/* The last tokens up to number `n`, as many as fit. */
static void read_window(Speaker *s, int64_t n, uint64_t step)
{
    Reader *r = &s->whole;
    const int64_t count = n < r->takes ? n : r->takes;
    int32_t *text = r->program->input_data[r->text];
    for (int64_t i = 0; i < r->takes; i++) text[i] = i < count ? s->said.at[n - count + i] : 0;
    if (r->length >= 0) *(int32_t *)r->program->input_data[r->length] = (int32_t)count;
    if (!s->keeps) host_reset(&r->host, MEMORY_forward);
    run_reader(s, r, count, step);
}

/* Up to token number `n`; the scores are those of what follows. Behind the last step the window is read anew. */
static int read_tokens(Speaker *s, int64_t n, uint64_t step)
{
    if (can_step(s, n)) {
        step_tokens(s, n, step);
        return 0;
    }
    int status = s->whole.program ? 0 : reader_open(s, &s->whole, PROGRAM_forward);
    if (!status) read_window(s, n, step);
    return status;
}

/* True where a line ends: what was said is forgotten. */
static bool say(Speaker *s, int token)
{
    const Slice *piece = &s->vocabulary.piece.at.at[token];
    const bool ends = s->plan->lines && token == 0;
    if (ends) putchar('\n');
    else fwrite(piece->s, 1, piece->n, stdout);
    fflush(stdout);
    if (ends) s->said.n = 0, s->heard = 0;
    vec_push(s->options->arena, &s->said, token);
    return ends;
}

static int speak(Speaker *s)
{
    const int64_t tokens = s->options->tokens ? s->options->tokens : TOKENS_DEFAULT;
    bool ended = false;
    int status = 0;
    if (s->options->prompt) fputs(s->options->prompt, stdout);
    for (int64_t n = 1; s->keeps && n < s->said.n; n++) read_window(s, n, 0);
    for (int64_t i = 0; i < tokens && !status; i++) {
        if (ended && s->keeps) host_reset(&s->whole.host, MEMORY_forward);
        status = read_tokens(s, s->said.n, (uint64_t)i);
        if (!status) ended = say(s, sampler_draw(&s->sampler, s->score, s->vocabulary.piece.at.n, (uint64_t)i));
    }
    if (!ended) putchar('\n');
    return status;
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
    if (!status) s.compile.next = session_has_step(&s);
    if (!status) status = session_compile(&s);
    if (!status) status = vocabulary_load(o->arena, o->weights, &s.plan.tokens, &k->vocabulary);
    if (status) return status;
    k->session = &s;
    k->options = o;
    k->plan = &s.plan.tokens;
    k->steps = steps_by_token(s.unit.next, k->plan);
    k->sampler = (Sampler){o->temperature, o->top_k, o->top_p, o->seed >= 0 ? (uint64_t)o->seed : 42};
    status = begin(k);
    if (!status) status = speak(k);
    host_close(&k->next.host);
    host_close(&k->whole.host);
    return status;
}
