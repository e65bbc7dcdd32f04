#pragma once
#include "runtime/command/command_table.h"

namespace plan::command {

// One function for each command of the table; each lives in the file of its name, or with its
// relatives.
ExitCode run_init(const Invocation& invocation);
ExitCode run_fetch(const Invocation& invocation);
ExitCode run_check(const Invocation& invocation);
ExitCode run_diff(const Invocation& invocation);
ExitCode run_show(const Invocation& invocation);
ExitCode run_apply(const Invocation& invocation);
ExitCode run_status(const Invocation& invocation);
ExitCode run_watch(const Invocation& invocation);
ExitCode run_trace(const Invocation& invocation);
ExitCode run_report(const Invocation& invocation);
ExitCode run_rollback(const Invocation& invocation);
ExitCode run_approve(const Invocation& invocation);
ExitCode run_pause(const Invocation& invocation);
ExitCode run_resume(const Invocation& invocation);
ExitCode run_throttle(const Invocation& invocation);
ExitCode run_verify(const Invocation& invocation);
ExitCode run_explain(const Invocation& invocation);
ExitCode run_fmt(const Invocation& invocation);
ExitCode run_lsp(const Invocation& invocation);
ExitCode run_schema(const Invocation& invocation);
ExitCode run_test(const Invocation& invocation);
ExitCode run_graph(const Invocation& invocation);
ExitCode run_lower(const Invocation& invocation);
ExitCode run_rehearse(const Invocation& invocation);
ExitCode run_version(const Invocation& invocation);
ExitCode run_docs(const Invocation& invocation);
ExitCode run_proxy_run(const Invocation& invocation);
ExitCode run_proxy_check(const Invocation& invocation);
ExitCode run_proxy_control(const Invocation& invocation);
ExitCode run_target_run(const Invocation& invocation);
ExitCode run_archive_import(const Invocation& invocation);
ExitCode run_archive_export(const Invocation& invocation);
ExitCode run_archive_inspect(const Invocation& invocation);
ExitCode run_archive_verify(const Invocation& invocation);
ExitCode run_archive_diff(const Invocation& invocation);
ExitCode run_archive_compact(const Invocation& invocation);
ExitCode run_dump_inspect(const Invocation& invocation);
ExitCode run_dump_verify(const Invocation& invocation);
ExitCode run_dump_manifest(const Invocation& invocation);
ExitCode run_dump_list(const Invocation& invocation);
ExitCode run_dump_get(const Invocation& invocation);
ExitCode run_dump_select(const Invocation& invocation);
ExitCode run_dump_merge(const Invocation& invocation);
ExitCode run_dump_diff(const Invocation& invocation);
ExitCode run_dump_convert(const Invocation& invocation);
ExitCode run_dump_repair(const Invocation& invocation);
ExitCode run_dump_export(const Invocation& invocation);
ExitCode run_dump_import(const Invocation& invocation);
ExitCode run_admin_describe(const Invocation& invocation);
ExitCode run_admin_get(const Invocation& invocation);

}  // namespace plan::command
