using System.Numerics;
using System.Text;
using MLNetExtension.Training.Reports;
using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class TensorBoardEventsTests
{
    [TestMethod]
    public void An_event_file_holds_every_step_in_records_whose_checksums_are_right()
    {
        using TemporaryFolder folder = new();
        TrainingCurve curve = new(_ => { });
        curve.Report(Reports.Step(1) with { Loss = 5, GradientNorm = 2 });
        curve.Report(Reports.Step(300) with { Loss = 4, GradientNorm = 1.25, ValidationLoss = 4.5, Samples = [new("The ", "cat")], MatrixPeak = 1e9 });
        var metrics = new MetricsReport(1, 2, 3, 8.25, 0.5, 5, 6);

        TensorBoardEvents.Write(folder.Path, curve, metrics, metrics with { BitsPerByte = 2.5 });

        Assert.HasCount(1, folder.Names);
        byte[][] records = [.. Records(File.ReadAllBytes(folder[folder.Names[0]]))];
        long began = curve.Started.ToUnixTimeSeconds(), ended = (curve.Started + TimeSpan.FromSeconds(1)).ToUnixTimeSeconds();
        Assert.HasCount(1 + 9 + 9 + 1 + 1 + 2, records, "one figure more where there is a validation, and its text");
        StringAssert.Contains(Encoding.UTF8.GetString(records[0]), "brain.Event:2");
        AssertScalar(records[1], "train/loss", 1, 5, ended);
        AssertScalar(records[12], "train/gradient_norm", 300, 1.25f, ended);
        AssertScalar(records[19], "validation/loss", 300, 4.5f, ended);
        string text = Encoding.UTF8.GetString(records[20]);
        Assert.Contains("samples/1/text_summary", text);
        Assert.Contains("**The** cat", text);
        AssertScalar(records[21], "held-out/bits_per_byte", 0, 8.25f, began);
        AssertScalar(records[22], "held-out/bits_per_byte", 300, 2.5f, ended);
    }

    [TestMethod]
    public void What_a_step_held_and_called_for_is_written_where_it_is_known()
    {
        using TemporaryFolder folder = new();
        StepReport plain = Step(1), full = Step(2) with { OrderValue = 12, ValidationLoss = 1.5, HasCheckpoint = true };
        TrainingCurve curve = new(_ => { });
        curve.Report(plain);
        curve.Report(full);
        TensorBoardEvents.Write(folder.Path, curve, new MetricsReport(1, 2, 3, 8.25, 0.5, 5, 6), null);

        byte[][] records = [.. Records(File.ReadAllBytes(folder[folder.Names[0]]))];
        Assert.HasCount(1 + (6 + 3) + (6 + 6) + 1, records);
        foreach ((int record, string tag, int step, float value) in new[]
        {
            (7, "batch/rows", 1, 8f), (8, "batch/target_tokens", 1, 300), (9, "batch/target_weight", 1, 312.5f),
            (16, "batch/rows", 2, 8), (19, "batch/order_value", 2, 12), (20, "validation/loss", 2, 1.5f), (21, "checkpoint/step", 2, 2),
        })
            AssertScalar(records[record], tag, step, value, (curve.Started + TimeSpan.FromSeconds(1)).ToUnixTimeSeconds());

        static StepReport Step(int step) => new()
        {
            Step = step, Epoch = 1, Progress = 0.5, Outcome = StepOutcome.Applied, Loss = 5, Accuracy = 0.5, LearningRate = 1e-3, GradientNorm = 2, TargetTokens = 300, TargetWeight = 312.5, Rows = 8,
            MicroBatches = 1, PaddingShare = 0, TokensPerMicroBatch = 512, Workers = 1, StepTime = TimeSpan.FromSeconds(1), Elapsed = TimeSpan.FromSeconds(1), TotalTargetTokens = 300,
        };
    }

    /// <summary>The messages of a record file: length, checksum of the length, message, checksum of the message.</summary>
    private static IEnumerable<byte[]> Records(byte[] file)
    {
        for (int position = 0; position < file.Length;)
        {
            int length = (int)BitConverter.ToInt64(file, position);
            Assert.AreEqual(MaskedChecksum(file[position..(position + 8)]), BitConverter.ToUInt32(file, position + 8));
            byte[] message = file[(position + 12)..(position + 12 + length)];
            Assert.AreEqual(MaskedChecksum(message), BitConverter.ToUInt32(file, position + 12 + length));
            yield return message;
            position += 16 + length;
        }
    }

    private static uint MaskedChecksum(byte[] bytes)
    {
        uint crc = ~bytes.Aggregate(uint.MaxValue, BitOperations.Crc32C);
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }

    /// <summary>An event: field 1 the time (double), 2 the step (varint, left out where it is 0), 5 the summary, in it field 1 the value: its tag (1) and number (2, float).</summary>
    private static void AssertScalar(byte[] message, string tag, int step, float value, double time)
    {
        byte[] encodedStep = step == 0 ? [] : step < 128 ? [2 << 3, (byte)step] : [2 << 3, (byte)(step & 127 | 128), (byte)(step >> 7)];
        byte[] number = [(2 << 3) | 5, .. BitConverter.GetBytes(value)];
        byte[] scalar = [(1 << 3) | 2, (byte)tag.Length, .. Encoding.UTF8.GetBytes(tag), .. number];
        byte[] expected =
        [
            (1 << 3) | 1, .. BitConverter.GetBytes(time), .. encodedStep,
            (5 << 3) | 2, (byte)(scalar.Length + 2), (1 << 3) | 2, (byte)scalar.Length, .. scalar,
        ];
        CollectionAssert.AreEqual(expected, message);
    }
}
