"""Which tests `make test` leaves to `make test-all`: by the beginning of their name, but for those that are kept."""

LONG = (
    "test_benchmarks.py",
    "test_compilation.py::test_the_cache_is_switched_off",
    "test_conformance.py::",
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
    "test_experiments.py::test_multirun",
    "test_flows.py::test_",
    "test_gali.py::test_on_training",
    "test_linalg.py::test_pairs_of_the_matrix",
    "test_models.py::test_a_sweep_goes_through_every_new_kind[linen",
    "test_models.py::test_every_kind_of_network_descends_its_loss[linen",
    "test_optimizers.py::test_every_optimizer_of_optax",
    "test_prepare.py::TestPrepare::test_is_a_command",
    "test_questions.py::test_the_intervals_hold",
    "test_sharpness.py::test_",
    "test_studies.py::test_a_report_runs_no_sweep",
    "test_studies.py::test_an_experiment_at_toy_size",
    "test_studies.py::test_an_experiment_of_the_studies_at_toy_size",
    "test_studies.py::test_an_experiment_that_fails",
    "test_studies.py::test_one_experiment",
    "test_studies.py::test_robustness",
    "test_studies.py::test_the_mnist_experiments",
    "test_spectrum.py::test_a_sweep_ends",
    "test_systems.py::test_",
    "test_tangent.py::test_constant_expansion",
    "test_validation.py::",
)

KEPT = (
    "test_conformance.py::test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit[logistic]",
    "test_conformance.py::test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit[henon]",
    "test_conformance.py::test_threads_chunks_interruptions_and_the_order_of_probes_change_no_bit[gd]",
    "test_conformance.py::test_one_cell_alone_is_the_cell_of_a_batch_to_rounding[gd]",
    "test_conformance.py::test_some_cells_diverge_and_the_others_do_not[gd]",
    "test_conformance.py::test_eager_steps_are_jitted_steps_to_rounding[gd]",
    "test_examples.py::test_logistic",
    "test_experiments.py::test_a_mistake_gets_one_clear_message[arguments2",
    "test_sharpness.py::test_a_cell_that_diverges",
    "test_sharpness.py::test_impossible",
    "test_studies.py::test_an_experiment_at_toy_size[iris]",
    "test_studies.py::test_an_experiment_at_toy_size[example]",
    "test_studies.py::test_an_experiment_of_the_studies_at_toy_size[danovski/fig7]",
    "test_validation.py::test_a_row",
    "test_validation.py::test_the_table",
)


def is_long(name: str) -> bool:
    """Whether the test of that name, ``file::test[case]``, is left to `make test-all`."""
    return name.startswith(LONG) and not name.startswith(KEPT)
