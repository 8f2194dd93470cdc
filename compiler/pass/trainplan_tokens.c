/* trainplan_tokens.c -- the entry `tokens` of a train block: which input reads a text, and what else comes from it. */
#include "value.h"

#include <string.h>

/* The name of an input of the net `net`, or NULL after an error. */
static const char *input_name(Resolver *r, const char *net, const Ast *e)
{
    const Ast *ast = callee_net(r, net, false);
    const char *names[64];
    const int n = net_inputs(ast, names, LENGTH(names));
    if (e->kind != AST_name) {
        resolve_error(r, e->span, "the name of an input is expected");
        return NULL;
    }
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], e->text)) return names[i];
    const char *near = did_you_mean(e->text, names, n);
    resolve_error(r, e->span, "`%s` has no input `%s`%s%s%s", net, e->text, near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
    return NULL;
}

static void set_argument(Resolver *r, TextPlan *plan, const char *net, const Ast *call, int i)
{
    const Ast *a = call->kid[i], *v = a->kind == AST_argument ? a->kid[0] : a;
    const char *name = a->kind == AST_argument ? a->text : i == 0 ? "text" : "";
    if (!strcmp(name, "lines")) value_to_bool(r, resolve_single(r, v), v->span, name, &plan->lines);
    else if (!strcmp(name, "text")) plan->text = input_name(r, net, v);
    else if (!strcmp(name, "next")) plan->next = input_name(r, net, v);
    else if (!strcmp(name, "length")) plan->length = input_name(r, net, v);
    else resolve_error(r, a->span, "`%s` takes an input that reads text, `next`, `length` and `lines`", call->text);
}

void resolve_tokens(Resolver *r, TextPlan *plan, const char *net, const Ast *e)
{
    *plan = (TextPlan){.span = e->span};
    const bool characters = e->kind == AST_call && !strcmp(e->text, "characters"), pieces = e->kind == AST_call && !strcmp(e->text, "pieces");
    if (!characters && !pieces) {
        resolve_error(r, e->span, "`characters(INPUT)` or `pieces(INPUT)` is expected");
        return;
    }
    const int errors = r->diag->errors;
    plan->pieces = pieces;
    for (int i = 0; i < e->n; i++) set_argument(r, plan, net, e, i);
    if (r->diag->errors != errors) return;
    if (!plan->text) resolve_error(r, e->span, "which input reads the text?");
    else if (plan->length && !plan->lines) resolve_error(r, e->span, "`length` is that of a line: it needs `lines=true`");
    else if ((plan->next && !strcmp(plan->next, plan->text)) || (plan->length && !strcmp(plan->length, plan->text)) ||
             (plan->next && plan->length && !strcmp(plan->next, plan->length)))
        resolve_error(r, e->span, "these are one input");
}
