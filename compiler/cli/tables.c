/* tables.c -- netc ops, targets, passes: what the .def files say. */
#include "cli.h"

int command_ops(const Options *o)
{
    (void)o;
    printf("%-15s %-9s %s\n", "operator", "operands", "what it computes");
    for (int i = 0; i < OP_COUNT; i++) {
        if (op_info[i].operands < 0) printf("%-15s %-9s %s\n", op_info[i].name, "any", op_info[i].what);
        else printf("%-15s %-9d %s\n", op_info[i].name, op_info[i].operands, op_info[i].what);
    }
    return 0;
}

int command_targets(const Options *o)
{
    (void)o;
    const Target *native = target_find("native");
    printf("%-8s %5s %9s  %-4s  %s\n", "target", "lanes", "registers", "here", "what it is");
    for (const Target *t = targets; t->name; t++)
        printf("%-8s %5d %9d  %-4s  %s\n", t->name, t->lanes, t->registers, target_runs_here(t) ? "yes" : "no", t->what);
    printf("native is %s here\n", native ? native->name : "none");
    return 0;
}

int command_passes(const Options *o)
{
    (void)o;
    static const char *const modes[] = {[MODE_infer] = "infer", [MODE_evaluate] = "evaluate", [MODE_train] = "train"};
    printf("%-9s %-21s %-9s %s\n", "pass", "runs in", "optional", "what it does");
    for (const PassInfo *p = pass_info; p->name; p++) {
        char when[32] = "";
        int n = 0;
        for (int m = MODE_infer; m <= MODE_train; m++)
            if (p->modes >> m & 1) n += snprintf(when + n, sizeof when - (size_t)n, "%s%s", n ? " " : "", modes[m]);
        printf("%-9s %-21s %-9s %s\n", p->name, when, p->optional ? "yes" : "no", p->what);
    }
    return 0;
}
