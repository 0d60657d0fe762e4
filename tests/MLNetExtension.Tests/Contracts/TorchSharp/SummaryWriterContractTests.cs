using System.Text;
using TorchSharp;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>The event file that TensorBoard reads.</summary>
[TestClass]
public sealed class SummaryWriterContractTests
{
    [TestMethod]
    public void Every_scalar_is_one_record_with_its_tag_and_value()
    {
        string directory = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            var writer = torch.utils.tensorboard.SummaryWriter(directory);
            writer.add_scalar("loss", 1.5f, 3);
            writer.add_scalar("loss", 0.25f, 300);

            string file = Directory.GetFiles(directory, "events.out.tfevents.*").Single();
            List<byte[]> records = Records(File.ReadAllBytes(file));
            Assert.HasCount(3, records);
            StringAssert.Contains(Encoding.Latin1.GetString(records[0]), "brain.Event:2");
            for (int i = 1; i <= 2; i++) StringAssert.Contains(Encoding.Latin1.GetString(records[i]), "\u0004loss");
            Assert.IsGreaterThan(0, records[1].AsSpan().IndexOf(BitConverter.GetBytes(1.5f)));
            Assert.IsGreaterThan(0, records[2].AsSpan().IndexOf(BitConverter.GetBytes(0.25f)));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    // Length, its masked checksum, the record, its masked checksum.
    private static List<byte[]> Records(byte[] bytes)
    {
        var records = new List<byte[]>();
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)BitConverter.ToInt64(bytes, at);
            Assert.AreEqual(Checksum(bytes.AsSpan(at, 8)), BitConverter.ToUInt32(bytes, at + 8));
            byte[] record = bytes[(at + 12)..(at + 12 + length)];
            Assert.AreEqual(Checksum(record), BitConverter.ToUInt32(bytes, at + 12 + length));
            records.Add(record);
            at += 16 + length;
        }
        return records;
    }

    // CRC-32C, bit by bit.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82f63b78 & (0 - (crc & 1)));
        }
        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }
}
