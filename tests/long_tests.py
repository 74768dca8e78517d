"""Which tests `make test` leaves to `make test-all`, by the beginning of their name; which files are begun first."""

LONG = (
    "test_alignment.py::test_covariant",
    "test_alignment.py::test_overlaps_and_angles",
    "test_cli.py::test_what_does_not_exist_is_an_error_that_lists_what_does_and_nothing_runs[run -m case",
    "test_cli.py::test_what_does_not_exist_is_an_error_that_lists_what_does_and_nothing_runs[run -m experiment",
    "test_benchmarks.py",
    "test_clusters.py::test_a_launcher_runs",
    "test_clusters.py::test_a_preempted",
    "test_clusters.py::test_distributed",
    "test_compilation.py::test_a_second_process",
    "test_compilation.py::test_the_cache_is_switched_off",
    "test_conformance.py::",
    "test_curvature.py::test_records_of_training",
    "test_docs.py::test_curvature",
    "test_docs.py::test_guide",
    "test_docs.py::test_readme",
    "test_docs.py::test_instruments",
    "test_ensembles.py::test_ensemble_benettin_and_tangent_agree",
    "test_examples.py::",
    "test_experiments.py::test_a_mistake_gets_one_clear_message",
    "test_experiments.py::test_a_job_that_fails",
    "test_experiments.py::test_a_report_of_ones_own",
    "test_experiments.py::test_a_report_over_all_jobs",
    "test_experiments.py::test_plot",
    "test_experiments.py::test_adaptive_optimizers",
    "test_experiments.py::test_multirun",
    "test_find_learning_rate.py::test_minibatches",
    "test_flows.py::test_",
    "test_gali.py::test_on_training",
    "test_growth_split.py::test_it_follows",
    "test_growth_split.py::test_of_a_map",
    "test_growth_split.py::test_the_sum",
    "test_interventions.py::",
    "test_late_frames.py::test_the_edge_of_stability",
    "test_landscape.py::test_too_few",
    "test_linalg.py::test_a_vmapped_search",
    "test_linalg.py::test_pairs_of_the_matrix",
    "test_mnist_studies.py",
    "test_ensembles.py::test_departure_and_the_null",
    "test_models.py::test_a_sweep_goes_through_every_new_kind[equinox",
    "test_models.py::test_a_sweep_goes_through_every_new_kind[linen",
    "test_models.py::test_every_kind_of_network_descends_its_loss[linen",
    "test_optimizers.py::test_every_optimizer_of_optax",
    "test_platforms.py::test_a_tpu",
    "test_platforms.py::test_nothing_is_float64",
    "test_prepare.py::TestPrepare::test_is_a_command",
    "test_question_trials.py::test_a_step",
    "test_question_trials.py::test_refined",
    "test_questions.py::test_a_problem_is_swept",
    "test_questions.py::test_the_intervals_hold",
    "test_sample_devices.py::test_records",
    "test_series_embedding.py::test_vmap_and_apply",
    "test_sharpness.py::test_",
    "test_stopping.py::test_a_kill_at_any_file_operation",
    "test_stopping.py::test_fifty_kills",
    "test_stopping.py::test_a_signal_saves_and_says_how_to_go_on[2]",
    "test_store.py::test_a_process_killed",
    "test_studies.py::test_a_report_runs_no_sweep",
    "test_studies.py::test_an_experiment_at_toy_size",
    "test_studies.py::test_an_experiment_of_the_studies_at_toy_size",
    "test_studies.py::test_an_experiment_that_fails",
    "test_studies.py::test_one_experiment",
    "test_studies.py::test_one_report",
    "test_studies.py::test_rules_for_the_learning_rate",
    "test_studies.py::test_the_mnist_experiments",
    "test_shares.py::test_processes",
    "test_spectrum.py::test_a_sweep_ends",
    "test_systems.py::test_",
    "test_tangent.py::test_constant_expansion",
    "test_curvature.py::test_matrices_are_those_made_of_jacobians_on_all_samples_and_on_some[cross",
    "test_landscape.py::test_saddle_or_valley",
    "test_thresholds.py::test_float32",
    "test_thresholds.py::test_no_single",
    "test_thresholds.py::test_of_gradient_descent",
    "test_thresholds.py::test_the_boundary_of_a_quadratic",
    "test_thresholds.py::test_the_preconditioner_is",
    "test_training.py::test_push_is_the_dense_jacobian[adam]",
    "test_training.py::test_push_is_the_dense_jacobian[heavy_ball]",
    "test_validation.py::",
    "test_curvature.py::test_matrices_are_those_made_of_jacobians_on_all_samples_and_on_some[squared",
    "test_growth_split.py::test_the_parts",
    "test_interventions.py::",
    "test_landscape.py::test_the_barrier_to_a_permuted_copy_is_gone_after_alignment[relu-False",
    "test_landscape.py::test_the_central_flow",
    "test_platforms.py::test_the_main_job_and_every_probe",
    "test_question_trials.py::",
    "test_shares.py::test_a_sweep_whose_cells_all_die",
    "test_shares.py::test_an_interrupted_share",
    "test_shares.py::test_shares_make",
    "test_sweep.py::test_a_tuned",
    "test_tangent.py::test_on_training",
    "test_thresholds.py::test_batch_sharpness",
    "test_training.py::test_an_optimizer_that_needs_the_loss",
    "test_training.py::test_push_is_the_dense_jacobian[adamw",
    "test_training.py::test_push_is_the_dense_jacobian[nesterov",
)

KEPT = (
    "test_conformance.py::test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit[logistic]",
    "test_conformance.py::test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit[gd]",
    "test_conformance.py::test_one_cell_alone_is_the_cell_of_a_batch_to_rounding[gd]",
    "test_conformance.py::test_some_cells_diverge_and_the_others_do_not[gd]",
    "test_conformance.py::test_eager_steps_are_jitted_steps_to_rounding[gd]",
    "test_examples.py::test_an_example_is_short",
    "test_examples.py::test_logistic",
    "test_experiments.py::test_a_mistake_gets_one_clear_message[arguments2",
    "test_interventions.py::test_a_step_leaves_out_what_dense_projections_leave_out[sharpest",
    "test_sharpness.py::test_impossible",
    "test_studies.py::test_an_experiment_at_toy_size[example]",
    "test_thresholds.py::test_the_boundary_of_a_quadratic_is_that_of_the_dense_jacobian_of_the_real_update[adam]",
    "test_thresholds.py::test_the_boundary_of_a_quadratic_is_that_of_the_dense_jacobian_of_the_real_update[nesterov]",
    "test_validation.py::test_a_row",
    "test_validation.py::test_the_table",
)


EXHAUSTIVE = (
    "test_compilation.py::test_the_cache_is_switched_off",
    "test_conformance.py::test_one_cell_alone_is_the_cell_of_a_batch_to_rounding[adam, replacement]",
    "test_conformance.py::test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit[nesterov, dropout]",
    "test_conformance.py::test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit[rmsprop, batch norm]",
    "test_docs.py::test_curvature",
    "test_examples.py::test_a_transformer",
    "test_optimizers.py::test_every_optimizer_of_optax_agrees_with_the_plain_loop_or_is_refused[False]",
    "test_shares.py::test_processes_of_jaxs_distributed_runtime_are_killed_and_go_on[4]",
    "test_studies.py::test_an_experiment_of_the_studies_at_toy_size[curvature/catapult]",
    "test_studies.py::test_an_experiment_of_the_studies_at_toy_size[danovski/phases]",
    "test_studies.py::test_one_report_over_two_jobs[questions/cause]",
    "test_studies.py::test_an_experiment_of_the_studies_at_toy_size[questions/trainability_boundary]",
    "test_studies.py::test_one_report_over_two_jobs[curvature/before_edge]",
    "test_studies.py::test_one_report_over_two_jobs[curvature/edge_of_stability]",
    "test_studies.py::test_one_report_over_two_jobs[jimenez/robustness]",
    "test_studies.py::test_one_report_over_two_jobs[questions/batch",
    "test_studies.py::test_one_report_over_two_jobs[questions/fastest",
    "test_studies.py::test_the_mnist_experiments_by",
    "test_thresholds.py::test_no_single",
    "test_thresholds.py::test_of_gradient_descent",
    "test_thresholds.py::test_the_preconditioner_is_that_of_the_step_by_its_formula[adagrad]",
    "test_thresholds.py::test_the_preconditioner_is_that_of_the_step_by_its_formula[adamw]",
    "test_thresholds.py::test_the_preconditioner_is_that_of_the_step_by_its_formula[nadam]",
    "test_training.py::test_push_is_the_dense_jacobian[heavy_ball]",
    "test_training.py::test_push_is_the_dense_jacobian[nesterov]",
    "test_validation.py::test_spectra_of_training",
)
"""Slow tests that repeat another on one more case, or on one more experiment: `pytest --exhaustive` runs them too."""

FIRST = (
    "test_studies test_conformance test_thresholds test_docs test_stopping test_validation test_experiments "
    "test_shares test_training test_sharpness test_optimizers"
).split()
"""The files that take longest: begun last, they would keep one worker busy when the others have ended."""


def rank(file: str) -> int:
    """Place of a test file in the order in which files are begun."""
    return FIRST.index(file) if file in FIRST else len(FIRST)


def is_long(name: str) -> bool:
    """Whether the test of that name, ``file::test[case]``, is left to `make test-all`."""
    return name.startswith(LONG) and not name.startswith(KEPT)


def is_exhaustive(name: str) -> bool:
    """Whether the test of that name is left to `pytest --exhaustive`."""
    return name.startswith(EXHAUSTIVE)
