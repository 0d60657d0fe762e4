using System.Numerics;
using System.Text;
using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class TensorBoardEventsTests
{
    [TestMethod]
    public void An_event_file_holds_every_step_in_records_whose_checksums_are_right()
    {
        using TemporaryFolder folder = new();
        CurvePoint[] curve = [new(1, 0.5, 5, 5, 1e-3, 2, 10), new(300, 1.5, 4, 4.5, 2e-3, 1.25f, 20)];
        var metrics = new MetricsReport(1, 2, 3, 8.25, 0.5, 5, 6);

        TensorBoardEvents.Write(folder.Path, curve, DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), metrics, metrics with { BitsPerByte = 2.5 });

        Assert.HasCount(1, folder.Names);
        byte[][] records = [.. Records(File.ReadAllBytes(folder[folder.Names[0]]))];
        Assert.HasCount(1 + 2 * 4 + 2, records);
        StringAssert.Contains(Encoding.UTF8.GetString(records[0]), "brain.Event:2");
        AssertScalar(records[1], "train/loss", 1, 5, 1_700_000_000);
        AssertScalar(records[7], "train/gradient_norm", 300, 1.25f, 1_700_000_001);
        AssertScalar(records[10], "held-out/bits_per_byte", 300, 2.5f, 1_700_000_001);
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

    /// <summary>An event: field 1 the time (double), 2 the step (varint), 5 the summary, in it field 1 the value: its tag (1) and number (2, float).</summary>
    private static void AssertScalar(byte[] message, string tag, int step, float value, double time)
    {
        byte[] encodedStep = step < 128 ? [(byte)step] : [(byte)(step & 127 | 128), (byte)(step >> 7)];
        byte[] number = [(2 << 3) | 5, .. BitConverter.GetBytes(value)];
        byte[] scalar = [(1 << 3) | 2, (byte)tag.Length, .. Encoding.UTF8.GetBytes(tag), .. number];
        byte[] expected =
        [
            (1 << 3) | 1, .. BitConverter.GetBytes(time), 2 << 3, .. encodedStep,
            (5 << 3) | 2, (byte)(scalar.Length + 2), (1 << 3) | 2, (byte)scalar.Length, .. scalar,
        ];
        CollectionAssert.AreEqual(expected, message);
    }
}
