using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Tokenization.Bytes;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Evaluation;

[TestClass]
public sealed class MultipleChoiceTests
{
    private static readonly MLContext Context = new(seed: 1);

    // Options of different lengths, with characters of one to four bytes; questions of every length from nothing, some of which do not fit with an option.
    private static readonly Row[] Rows = [.. Enumerable.Range(0, 300).Select(i =>
    {
        var random = new Random(i);
        string Word(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => ((string[])["a", "b", "c", "é", "漢", "🙂"])[random.Next(6)]));
        string[] options = [.. Enumerable.Range(0, 2 + random.Next(3)).Select(_ => Word(1 + random.Next(5)))];
        return new Row { Question = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => (char)random.Next('a', 'z'))), Options = options, Answer = random.Next(options.Length) };
    })];

    [TestMethod]
    public void The_accuracies_are_those_of_whole_forward_passes_in_float64()
    {
        using Gpt2Model network = TinyModels.Gpt2();
        using var model = TinyTransformers.Create(network);
        var (right, rightByCharacter, rightByByte, truncated) = (0, 0, 0, 0);
        foreach (Row row in Rows)
        {
            double[] sums = [.. row.Options.Select(option => LogProbability(network, row.Question, option))];
            right += First(sums) == row.Answer ? 1 : 0;
            rightByCharacter += First([.. sums.Zip(row.Options, (sum, option) => sum / (option.Length - option.Count(char.IsLowSurrogate)))]) == row.Answer ? 1 : 0;
            rightByByte += First([.. sums.Zip(row.Options, (sum, option) => sum / Encoding.UTF8.GetBytes(option).Length)]) == row.Answer ? 1 : 0;
            truncated += row.Options.Any(option => Encoding.UTF8.GetByteCount(row.Question + " " + option) > TinyModels.ContextLength) ? 1 : 0;
        }

        List<string> log = Tiny.LogOf(Context);
        MultipleChoiceMetrics metrics = Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(Rows));

        Assert.HasCount(3, new[] { right, rightByCharacter, rightByByte }.Distinct(), "the rows must tell the three apart");
        Assert.AreEqual((right / 300.0, rightByCharacter / 300.0, rightByByte / 300.0), (metrics.Accuracy, metrics.NormalizedAccuracy, metrics.ByteNormalizedAccuracy));
        Assert.AreEqual((300, truncated), (metrics.Rows, metrics.TruncatedRows));
        Assert.IsGreaterThan(10, truncated);
        Assert.ContainsSingle(line => line.Contains($"{truncated} of 300 rows are longer than the model's context"), log);
    }

    // The sample standard deviation of the rows' zeros and ones, divided by the root of their number.
    [TestMethod]
    public void The_standard_error_is_that_of_the_mean_of_the_rows()
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        MultipleChoiceMetrics metrics = Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(Rows));
        double p = metrics.Accuracy;
        double[] rows = [.. Enumerable.Range(0, 300).Select(i => i < Math.Round(300 * p) ? 1.0 : 0)];
        double deviation = Math.Sqrt(rows.Sum(row => (row - p) * (row - p)) / 299);
        Assert.AreEqual(deviation / Math.Sqrt(300), metrics.AccuracyStandardError, 1e-14);
        Assert.AreEqual(Math.Sqrt(metrics.NormalizedAccuracy * (1 - metrics.NormalizedAccuracy) / 299), metrics.NormalizedAccuracyStandardError, 1e-14);
        Assert.AreEqual(Math.Sqrt(metrics.ByteNormalizedAccuracy * (1 - metrics.ByteNormalizedAccuracy) / 299), metrics.ByteNormalizedAccuracyStandardError, 1e-14);
        Assert.IsTrue(double.IsNaN(Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(Rows[..1])).AccuracyStandardError));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(100)]
    [DataRow(100_000)]
    public void Rows_one_by_one_give_what_all_together_give(int tokensTogether)
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2(), tokensTogether);
        Row[] rows = Rows[..60];
        MultipleChoiceMetrics together = Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(rows));
        MultipleChoiceMetrics[] alone = [.. rows.Select(row => Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data([row])))];
        Assert.AreEqual(alone.Average(metrics => metrics.Accuracy), together.Accuracy, 1e-12);
        Assert.AreEqual(alone.Average(metrics => metrics.NormalizedAccuracy), together.NormalizedAccuracy, 1e-12);
        Assert.AreEqual(alone.Average(metrics => metrics.ByteNormalizedAccuracy), together.ByteNormalizedAccuracy, 1e-12);
    }

    [TestMethod]
    public void Ranks_score_a_share_each_and_get_the_same_metrics_as_one()
    {
        Row[] rows = [.. Rows, .. Rows[..250]];    // three blocks
        using var alone = TinyTransformers.Create(TinyModels.Gpt2());
        MultipleChoiceMetrics expected = Context.CausalLanguageModeling.EvaluateMultipleChoice(alone, Data(rows));
        MultipleChoiceMetrics[] all = ThreadRankGroup.Run(2, ranks =>
        {
            using var model = TinyTransformers.Create(TinyModels.Gpt2(), ranks: ranks);
            return Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(rows));
        });
        foreach (MultipleChoiceMetrics metrics in all)
        {
            Assert.AreEqual(expected.ToString(), metrics.ToString());
            Assert.AreEqual((expected.Accuracy, expected.Rows, expected.TruncatedRows), (metrics.Accuracy, metrics.Rows, metrics.TruncatedRows));
        }
    }

    [TestMethod]
    [DataRow(0, 1.0)]
    [DataRow(1, 0.0)]
    [DataRow(2, 0.0)]
    public void Of_equally_probable_options_the_first_is_chosen(int answer, double accuracy)
    {
        using Gpt2Model network = TinyModels.Gpt2();
        using (no_grad())
        {
            foreach (var parameter in network.parameters())
                parameter.zero_();
        }
        using var model = TinyTransformers.Create(network);
        MultipleChoiceMetrics metrics = Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data([new Row { Question = "q", Options = ["ab", "cd", "ef"], Answer = answer }]));
        Assert.AreEqual((accuracy, accuracy, accuracy), (metrics.Accuracy, metrics.NormalizedAccuracy, metrics.ByteNormalizedAccuracy));
    }

    [TestMethod]
    public void A_row_for_which_the_model_gives_no_number_counts_as_wrong()
    {
        MultipleChoiceSums sums = new();
        sums.Add(["a", "b"], [double.NaN, -1], 0, wasTruncated: false);
        sums.Add(["a", "b"], [-1, double.NaN], 0, wasTruncated: false);
        sums.Add(["a", "b"], [-1, double.NegativeInfinity], 0, wasTruncated: false);
        Assert.AreEqual((1, 1, 3), (sums.Correct, sums.CorrectByByte, sums.Rows));
    }

    [TestMethod]
    public void Transformers_before_the_model_are_applied_to_questions_and_options()
    {
        var lower = Context.Transforms.Text.NormalizeText("Text", caseMode: Microsoft.ML.Transforms.Text.TextNormalizingEstimator.CaseMode.Lower, keepDiacritics: true);
        using var model = lower.Append(Context.CausalLanguageModeling.Trainers.CausalLanguageModel(Tiny.Options())).Fit(Tiny.Rows(Context, Tiny.Texts));
        Row[] rows = [.. Rows.Take(80).Select(row => row with { Options = [.. row.Options.Select(option => option + "x")] })];
        Row[] upper = [.. rows.Select(row => row with { Question = row.Question.ToUpperInvariant(), Options = [.. row.Options.Select(option => option.ToUpperInvariant())] })];
        MultipleChoiceMetrics expected = Context.CausalLanguageModeling.EvaluateMultipleChoice(model.LastTransformer, Data(rows));
        Assert.AreEqual(expected.ToString(), Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(upper)).ToString());
        Assert.AreNotEqual(expected.ToString(), Context.CausalLanguageModeling.EvaluateMultipleChoice(model.LastTransformer, Data(upper)).ToString());
    }

    [TestMethod]
    public void The_answer_may_be_a_number_of_any_type_or_a_key()
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        Row[] rows = Rows[..60];
        string expected = Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(rows)).ToString();
        Assert.AreEqual(expected, Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Typed<float>(row => row.Answer)).ToString());
        Assert.AreEqual(expected, Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Typed<long>(row => row.Answer)).ToString());
        Assert.AreEqual(expected, Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Typed(row => (byte)row.Answer)).ToString());
        IDataView keys = Context.Data.LoadFromEnumerable(rows.Select(row => new KeyRow { Question = row.Question, Options = row.Options, Answer = (uint)row.Answer }));
        Assert.AreEqual(expected, Context.CausalLanguageModeling.EvaluateMultipleChoice(model, keys).ToString());

        IDataView Typed<T>(Func<Row, T> answer) =>
            Context.Data.LoadFromEnumerable(rows.Select(row => new TypedRow<T> { Question = row.Question, Options = row.Options, Answer = answer(row) }));
    }

    [TestMethod]
    [DataRow(3, "a,b", "Row 1: the answer in column 'Answer' is 3; with 2 options allowed is a whole number from 0 to 1.")]
    [DataRow(-1, "a,b", "Row 1: the answer in column 'Answer' is -1; with 2 options allowed is a whole number from 0 to 1.")]
    [DataRow(0.5, "a,b", "Row 1: the answer in column 'Answer' is 0.5; with 2 options allowed is a whole number from 0 to 1.")]
    [DataRow(double.NaN, "a,b", "Row 1: the answer in column 'Answer' is missing; with 2 options allowed is a whole number from 0 to 1.")]
    [DataRow(0, null, "Row 1 has no options (column 'Options').")]
    [DataRow(0, "a,", "Row 1: option 1 of column 'Options' is empty.")]
    [DataRow(0, "a,0123456789012345678901234", "Row 1: option 1 has 26 tokens; the model's context holds 24.")]
    public void A_row_that_cannot_be_used_is_named(double answer, string? options, string expected)
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        TypedRow<double>[] rows = [new() { Question = "q", Options = ["a"], Answer = 0 }, new() { Question = "q", Options = options?.Split(',') ?? [], Answer = answer }];
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Context.Data.LoadFromEnumerable(rows)));
        Assert.AreEqual(expected, error.Message);
    }

    [TestMethod]
    public void Wrong_columns_and_no_rows_are_refused()
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        var catalog = Context.CausalLanguageModeling;
        Assert.Contains("options column 'No'", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => catalog.EvaluateMultipleChoice(model, Data(Rows), optionsColumnName: "No")).Message);
        Assert.Contains("expected a number or a key", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => catalog.EvaluateMultipleChoice(model, Data(Rows), answerColumnName: "Question")).Message);
        Assert.Contains("no rows", Assert.ThrowsExactly<InvalidOperationException>(() => catalog.EvaluateMultipleChoice(model, Data([]))).Message);
    }

    // The loss column of a chat counts the answer's tokens and the one that ends the turn, which is no part of an option.
    [TestMethod]
    public void A_model_that_was_trained_on_chats_reads_the_question_as_a_users_message()
    {
        using TemporaryFolder folder = new();
        using var model = Context.CausalLanguageModeling.Trainers.CausalLanguageModel(new CausalLanguageModelTrainer.Options
        {
            Columns = InputColumns.Chat(), Model = LanguageModel.Pretrained(PublishedModel.Write(folder["published"])), MaximumSteps = 1,
        }).Fit(Context.Data.LoadFromEnumerable([new Chat { Messages = Message("Which pet?", "A cat.") }]));
        Row[] rows = [.. Enumerable.Range(0, 40).Select(i => new Row { Question = $"Which pet, {i}?", Options = [$"A cat {i * i}.", $"{i * 7} dogs!", "Seven."], Answer = i % 3 })];

        double right = 0;
        foreach (Row row in rows)
        {
            IDataView chats = Context.Data.LoadFromEnumerable(row.Options.Select(option => new Chat { Messages = Message(row.Question, option) }));
            double[] sums = [.. model.Transform(chats).GetColumn<float[]>("TokenLogProbabilities").Select(tokens => (double)tokens.SkipLast(1).Sum())];
            right += First(sums) == row.Answer ? 1 : 0;
        }

        Assert.AreEqual(right / rows.Length, Context.CausalLanguageModeling.EvaluateMultipleChoice(model, Data(rows)).Accuracy);
        Assert.IsInRange(5, 35, right, "the rows must be able to show a difference");
    }

    private static string Message(string question, string answer) => $$"""[{"role": "user", "content": "{{question}}"}, {"role": "assistant", "content": "{{answer}}"}]""";

    private static double LogProbability(Gpt2Model network, string question, string option)
    {
        var tokenizer = new ByteLevelTokenizer();
        int[] tokens = [ByteLevelTokenizer.EndOfTextId, .. tokenizer.EncodeText(question + " " + option)];
        int targets = Encoding.UTF8.GetByteCount(" " + option), first = Math.Max(0, tokens.Length - 1 - TinyModels.ContextLength);
        return TinyTransformers.LogProbabilitiesOfLast(network, tokens[first..], targets).Sum();
    }

    private static int First(double[] values) => Array.FindIndex(values, value => value == values.Max());

    private static IDataView Data(Row[] rows) => Context.Data.LoadFromEnumerable(rows);

    private sealed record Row
    {
        public string Question { get; set; } = "";

        public string[] Options { get; set; } = [];

        public int Answer { get; set; }
    }

    private sealed class TypedRow<T>
    {
        public string Question { get; set; } = "";

        public string[] Options { get; set; } = [];

        public T Answer { get; set; } = default!;
    }

    private sealed class KeyRow
    {
        public string Question { get; set; } = "";

        public string[] Options { get; set; } = [];

        [KeyType(4)]
        public uint Answer { get; set; }
    }

    private sealed class Chat
    {
        public string Messages { get; set; } = "";
    }
}
