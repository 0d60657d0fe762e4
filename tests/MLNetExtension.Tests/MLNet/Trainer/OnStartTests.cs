using Microsoft.ML;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Tests.MLNet.Trainer;

[TestClass]
public sealed class OnStartTests
{
    private static readonly MLContext Context = new(seed: 1);

    // Seen to fail with: called after the training, into which a checkpoint is restored.
    [TestMethod]
    public void It_gets_the_model_that_training_starts_from_even_where_training_resumes()
    {
        double initial = Loss(Tiny.Options(steps: 0));
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            foreach (int steps in new[] { 4, 8 })
            {
                List<double> losses = [];
                CausalLanguageModelTrainer.Options options = Tiny.Options(steps);
                options.Checkpoints = new() { Folder = folder, Interval = 2 };
                options.OnStart = model => losses.Add(Loss(model));

                Assert.IsLessThan(initial - 1e-3, Loss(options), "the control: what is trained has another loss");
                CollectionAssert.AreEqual(new[] { initial }, losses);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestMethod]
    public void Adapters_do_not_change_what_it_measures_and_neither_does_measuring_change_the_training()
    {
        CausalLanguageModelTrainer.Options options = Tiny.Options();
        options.Adapters = new LoraOptions { Rank = 2 };
        double untouched = Loss(options), before = 0;
        bool trained = true;
        options.OnStart = model =>
        {
            before = Loss(model);
            trained = model.Training is not null;
        };

        Assert.AreEqual(untouched, Loss(options));
        Assert.AreEqual(Loss(Tiny.Options(steps: 0)), before, 1e-6);
        Assert.IsFalse(trained);
    }

    [TestMethod]
    public void What_it_throws_ends_the_fit_and_a_model_that_it_disposes_is_missed()
    {
        CausalLanguageModelTrainer.Options options = Tiny.Options();
        options.OnStart = _ => throw new InvalidDataException("mine");
        Assert.AreEqual("mine", Assert.ThrowsExactly<InvalidDataException>(() => Tiny.Train(Context, options)).Message);

        options.OnStart = model => model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => Tiny.Train(Context, options));
    }

    [TestMethod]
    public void It_is_not_kept_with_the_model()
    {
        CausalLanguageModelTrainer.Options options = Tiny.Options();
        options.OnStart = _ => { };
        using CausalLanguageModelTransformer model = Tiny.Train(Context, options);
        Assert.IsNull(model.Options.OnStart);
    }

    private static double Loss(CausalLanguageModelTrainer.Options options)
    {
        using CausalLanguageModelTransformer model = Tiny.Train(Context, options);
        return Loss(model);
    }

    private static double Loss(CausalLanguageModelTransformer model) => Context.CausalLanguageModeling.Evaluate(model.Transform(Tiny.Rows(Context, Tiny.Texts))).Loss;
}
