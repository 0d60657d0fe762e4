using Microsoft.ML;
using MLNetExtension.Losses;
using MLNetExtension.Tests.Models.Custom;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>A student learns from a teacher through the public options.</summary>
[TestClass]
public sealed class DistillationTests
{
    private static readonly Lazy<CausalLanguageModelTransformer> LazyTeacher = new(() =>
    {
        var options = Options(steps: 60);
        (options.Model, options.LearningRate) = (LanguageModel.Gpt2(layers: 2, heads: 2, width: 24, contextLength: 80), 0.02);
        return Train(new MLContext(seed: 2), options);
    });

    private static CausalLanguageModelTransformer Teacher => LazyTeacher.Value;

    [ClassCleanup]
    public static void Free()
    {
        if (LazyTeacher.IsValueCreated)
            Teacher.Dispose();
    }

    [TestMethod]
    public void A_student_of_a_teacher_alone_comes_to_think_as_it_does()
    {
        float[] teacher = Losses(Teacher), before = Losses(Distil(steps: 0)), after = Losses(Distil(steps: 60, share: 1, rate: 0.02)), other = Losses(Distil(steps: 60, share: null, rate: 0.02));
        double Distance(float[] student) => student.Zip(teacher).Average(pair => Math.Abs(pair.First - pair.Second) / Math.Max(1, pair.Second));
        Assert.IsLessThan(0.3 * Distance(before), Distance(after));
        Assert.IsGreaterThan(0, Distance(other));
        CollectionAssert.AreNotEqual(after, other, "what it learns is not the text alone");
    }

    [TestMethod]
    public void A_student_is_the_same_for_every_split()
    {
        float[] whole = Losses(Distil(steps: 6, tokens: 1000)), parts = Losses(Distil(steps: 6, tokens: 24));
        Assert.IsLessThan(1e-5, whole.Zip(parts).Max(pair => Math.Abs(pair.First - pair.Second) / Math.Max(1, pair.Second)));
    }

    // Evaluations measure the cross entropy, which the sum of a step is not.
    [TestMethod]
    public void Validation_measures_the_cross_entropy()
    {
        MLContext mlContext = new(seed: 1);
        double? measured = null, last = null;
        var options = Student(steps: 3, share: 1);
        options.Validation = new() { Rows = Rows(mlContext, Texts), Interval = 3 };
        options.Progress = new Progress(step => (measured, last) = (step.ValidationLoss, step.Loss));
        using var model = Train(mlContext, options);
        Assert.AreEqual(mlContext.CausalLanguageModeling.Evaluate(model.Transform(Rows(mlContext, Texts))).Loss, measured!.Value, 1e-5 * measured.Value);
        Assert.IsGreaterThan(0.1, Math.Abs(measured.Value - last!.Value));
    }

    [TestMethod]
    public void A_teacher_may_be_a_published_model_of_the_students_tokenizer()
    {
        using TemporaryFolder folder = new();
        string published = PublishedModel.Write(folder["published"]);
        MLContext mlContext = new(seed: 1);
        List<string> log = LogOf(mlContext);
        var options = Options(steps: 2);
        (options.Model, options.Batching) = (LanguageModel.Gpt2(layers: 1, heads: 2, width: 16, contextLength: 64, tokenizerFolder: published), new() { Precision = ComputePrecision.BFloat16 });
        options.Distillation = new() { Teacher = TeacherModel.Pretrained(published), Divergence = Divergence.JensenShannon(0.25), Share = 0.75, Temperature = 2 };
        using var model = Train(mlContext, options);
        Assert.ContainsSingle(line => line.Contains($"the Jensen-Shannon divergence with a teacher's share of 0.25 from the teacher, '{published}' (", StringComparison.Ordinal)
            && line.Contains("at a weight of 0.75 and a temperature of 2, the cross entropy at a weight of 0.25", StringComparison.Ordinal), log);

        using var loaded = SaveAndLoad(mlContext, model);
        Assert.AreEqual(options.Distillation, loaded.Options.Distillation);
    }

    // A model keeps no other alive, and is saved without it.
    [TestMethod]
    public void A_trained_teacher_is_not_kept_with_the_student()
    {
        MLContext mlContext = new(seed: 1);
        using var model = Distil(steps: 1);
        using var loaded = SaveAndLoad(mlContext, model);
        foreach (var options in new[] { model.Options, loaded.Options })
        {
            Assert.AreEqual(0.5, options.Distillation!.Share);
            string message = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Message;
            StringAssert.StartsWith(message, "Distillation.Teacher.Model is null; allowed is a model: those of a trained student's options are not kept.");
        }
    }

    // Both give logits; the losses are those of the model's own head.
    [TestMethod]
    public void Networks_of_ones_own_can_be_student_and_teacher()
    {
        var options = Student(steps: 2);
        options.Model = LanguageModel.Custom("own", () => new Recurrent(257, dtype: TorchSharp.torch.ScalarType.Float32), contextLength: 64);
        using var student = Train(new MLContext(seed: 1), options);
        var next = Student(steps: 2);
        next.Distillation = new() { Teacher = TeacherModel.Trained(student) };
        using var second = Train(new MLContext(seed: 1), next);
        Assert.IsTrue(Losses(second).All(float.IsFinite));
    }

    [TestMethod]
    public void A_teacher_that_does_not_fit_is_refused_before_rows_are_read()
    {
        using TemporaryFolder folder = new();
        string published = PublishedModel.Write(folder["published"]);
        var longer = Student(steps: 1);
        longer.Model = LanguageModel.Gpt2(layers: 1, heads: 2, width: 16, contextLength: 81);
        AssertRefused<ArgumentException>(longer, "Distillation.Teacher: the model given reads at most 80 tokens of a row, and the student 81 (option Model.ContextLength).");

        var otherTokens = Student(steps: 1);
        otherTokens.Distillation = new() { Teacher = TeacherModel.Pretrained(published) };
        AssertRefused<ArgumentException>(otherTokens, $"Distillation.Teacher: '{published}' has another tokenizer than the student: ");

        var missing = Student(steps: 1);
        missing.Distillation = new() { Teacher = TeacherModel.Pretrained(folder["nowhere"]) };
        AssertRefused<DirectoryNotFoundException>(missing, folder["nowhere"]);

        var disposed = Student(steps: 1);
        var gone = Train(new MLContext(seed: 1), Options(steps: 0));
        disposed.Distillation = new() { Teacher = TeacherModel.Trained(gone) };
        gone.Dispose();
        AssertRefused<ObjectDisposedException>(disposed, "disposed");
    }

    [TestMethod]
    public void A_training_resumes_bit_for_bit_with_the_same_teacher_and_is_refused_with_another()
    {
        using TemporaryFolder folder = new();
        float[] expected = Losses(Distil(steps: 6));
        var options = Student(steps: 6);
        options.Checkpoints = new() { Folder = folder["checkpoints"], Interval = 3 };
        StopAfter(3, options);

        using (var other = Train(new MLContext(seed: 3), Options(steps: 1)))
        {
            var another = options.Copy();
            another.Distillation = options.Distillation! with { Teacher = TeacherModel.Trained(other) };
            AssertRefused<InvalidOperationException>(another, "the teacher's weights");
        }
        var colder = options.Copy();
        colder.Distillation = options.Distillation! with { Temperature = 2 };
        AssertRefused<InvalidOperationException>(colder, "Distillation.Temperature");

        using var resumed = Train(new MLContext(seed: 1), options);
        CollectionAssert.AreEqual(expected, LossesOf(resumed));
    }

    [TestMethod]
    public void A_training_with_another_loss_resumes_bit_for_bit_and_is_refused_with_a_third()
    {
        using TemporaryFolder folder = new();
        var options = Options(steps: 6);
        options.Loss = new() { Kind = LossKind.Focal(1) };
        float[] expected = Losses(Train(new MLContext(seed: 1), options));
        options.Checkpoints = new() { Folder = folder["checkpoints"], Interval = 3 };
        StopAfter(3, options);

        var third = options.Copy();
        third.Loss = new() { Kind = LossKind.Dft };
        AssertRefused<InvalidOperationException>(third, "LossKind");

        MLContext mlContext = new(seed: 1);
        List<string> log = LogOf(mlContext);
        using var resumed = Train(mlContext, options);
        CollectionAssert.AreEqual(expected, LossesOf(resumed));
        CollectionAssert.AreNotEqual(expected, Losses(Train(new MLContext(seed: 1), Options(steps: 6))), "it is another loss");
        Assert.ContainsSingle(line => line.Contains("What is minimized: focal loss with gamma 1; evaluations measure the cross entropy.", StringComparison.Ordinal), log);
        using var loaded = SaveAndLoad(mlContext, resumed);
        Assert.AreEqual(LossKind.Focal(1), loaded.Options.Loss.Kind);
    }

    private static void StopAfter(int step, CausalLanguageModelTrainer.Options options)
    {
        using CancellationTokenSource stop = new();
        var stopped = options.Copy();
        (stopped.StopToken, stopped.Progress) = (stop.Token, new Progress(report =>
        {
            if (report.Step == step)
                stop.Cancel();
        }));
        using var model = Train(new MLContext(seed: 1), stopped);
        Assert.AreEqual(step, model.Training!.Steps);
    }

    private static CausalLanguageModelTrainer.Options Student(int steps, double? share = 0.5, double? rate = null, int? tokens = null)
    {
        var options = Options(steps);
        (options.LearningRate, options.Batching) = (rate, new() { MaximumTokensPerMicroBatch = tokens });
        options.Distillation = share is { } given ? new() { Teacher = TeacherModel.Trained(Teacher), Share = given } : null;
        return options;
    }

    private static CausalLanguageModelTransformer Distil(int steps, double? share = 0.5, double? rate = null, int? tokens = null) => Train(new MLContext(seed: 1), Student(steps, share, rate, tokens));

    private static float[] Losses(CausalLanguageModelTransformer model)
    {
        float[] losses = LossesOf(model);
        if (model != Teacher)
            model.Dispose();
        return losses;
    }

    private static float[] LossesOf(CausalLanguageModelTransformer model) => CheckpointRuns.LossesOf(model);

    private static CausalLanguageModelTransformer SaveAndLoad(MLContext mlContext, CausalLanguageModelTransformer model)
    {
        using MemoryStream stream = new();
        mlContext.Model.Save(model, null, stream);
        stream.Position = 0;
        mlContext.CausalLanguageModeling.RegisterLoader();
        return (CausalLanguageModelTransformer)mlContext.Model.Load(stream, out _);
    }

    private static void AssertRefused<T>(CausalLanguageModelTrainer.Options options, string message) where T : Exception =>
        StringAssert.Contains(Assert.ThrowsExactly<T>(() => Train(new MLContext(seed: 1), options)).Message, message);
}
