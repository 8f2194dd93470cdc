/* check.c -- netc check: every mistake of every net in the file. */
#include "cli.h"

#include <string.h>

static bool has(const Ast *ast, AstKind kind)
{
    if (ast->kind == kind) return true;
    for (int i = 0; i < ast->n; i++)
        if (ast->kid[i] && has(ast->kid[i], kind)) return true;
    return false;
}

/* A net with a loss is looked at as training sees it first, for that is the most; then as evaluation and inference do. */
static void check_net(Session *s, const Ast *net)
{
    ResolveOptions options = s->compile.resolve;
    TrainPlan plan;
    int errors = s->diag.errors;
    options.net = net->text;
    options.batch = 2;
    if (has(net, AST_loss)) {
        options.mode = MODE_train;
        resolve(s->model, &options);
        resolve_train(s->model, &options, net->text, &plan);
    }
    for (Mode mode = MODE_evaluate + 1; mode-- > MODE_infer && s->diag.errors == errors;) {
        options.mode = mode;
        resolve(s->model, &options);
    }
}

int command_check(const Options *o)
{
    Session s;
    int status = session_open(&s, o, "scalar");
    if (status) return status;
    const Ast *file = s.model->file.at[s.model->file.n - 1];
    if (o->net && !resolve_net_name(s.model, o->net)) return EXIT_model;
    int nets = 0;
    for (int i = 0; i < file->n; i++) {
        if (file->kid[i]->kind != AST_net) continue;
        nets++;
        if (!o->net || !strcmp(o->net, file->kid[i]->text)) check_net(&s, file->kid[i]);
    }
    if (!nets) resolve_net_name(s.model, o->net);
    return s.diag.errors ? EXIT_model : 0;
}
