using System.Buffers.Binary;
using System.Text;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Safetensors;

[TestClass]
public sealed class SafetensorsFuzzTests
{
    private static readonly string[] Words =
        ["9223372036854775807", "-1", "1e9", "4294967296", "0", "null", "{}", "[]", "\"F32\"", "\"I64\"", "\"shape\"", "\\ud800", "\u00ff", "{\"a\":", "]]", ",", "[[[[[[[[", "true"];

    // Seen to fail without the check of the length prefix (it asks for more memory than there is) and without the catch of texts that are no Unicode.
    [TestMethod]
    public void Ten_thousand_altered_headers_are_each_read_or_refused()
    {
        using var scope = NewDisposeScope();
        using MemoryStream stream = new();
        SafetensorsWriter.Write([("a", ones(2, 3)), ("b.weight", ones(2, 2, dtype: float64)), ("c", tensor(1L)[TensorIndex.None].narrow(0, 0, 0))], stream);
        byte[] whole = stream.ToArray();
        Random random = new(20);
        int read = 0, refused = 0;
        long most = 0;
        for (int i = 0; i < 12_000; i++)
        {
            byte[] altered = Altered(whole, random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                IReadOnlyList<SafetensorsEntry> entries = SafetensorsHeader.Read(new MemoryStream(altered), altered.Length);
                Check(entries, altered);
                read++;
            }
            catch (InvalidDataException exception)
            {
                Assert.IsGreaterThan(20, exception.Message.Length);
                refused++;
            }
            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        // Neither number may be small, or the test proves nothing.
        Assert.IsGreaterThan(500, read);
        Assert.IsGreaterThan(5_000, refused);
        Assert.IsLessThan(1 << 20, most, "bytes allocated for a file of a few hundred");
    }

    // What is read must fit the file: every tensor is within it, none overlaps another, and each has the length of its shape.
    private static void Check(IReadOnlyList<SafetensorsEntry> entries, byte[] file)
    {
        long headerLength = BinaryPrimitives.ReadInt64LittleEndian(file), at = 0;
        foreach (SafetensorsEntry entry in entries)
        {
            Assert.AreEqual(at, entry.Begin);
            Assert.AreEqual(entry.End - entry.Begin, entry.Shape.Aggregate(1L, (product, size) => checked(product * size)) * SafetensorsTypes.BytesOf(entry.Type));
            at = entry.End;
        }
        Assert.AreEqual(file.Length - 8 - headerLength, at);
    }

    private static byte[] Altered(byte[] whole, Random random)
    {
        int headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        List<byte> header = [.. whole.AsSpan(8, headerLength)];
        byte[] data = whole[(8 + headerLength)..];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(header.Count);
            switch (random.Next(7))
            {
                case 0: header[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: header[at] = (byte)random.Next(256); break;
                case 2: header.RemoveRange(at, Math.Min(random.Next(1, 9), header.Count - at)); break;
                case 3: header.InsertRange(at, Encoding.UTF8.GetBytes(Words[random.Next(Words.Length)])); break;
                case 4: header[at] = header[at] is >= (byte)'0' and <= (byte)'9' ? (byte)random.Next('0', '9' + 1) : header[at]; break;
                case 5: data = data[..random.Next(data.Length + 1)]; break;
                default: header.AddRange("  "u8); break;
            }
            if (header.Count == 0)
                header.Add((byte)'{');
        }
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, random.Next(8) == 0 ? random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64) : header.Count);
        byte[] file = [.. prefix, .. header, .. data];
        return random.Next(10) == 0 ? file[..random.Next(file.Length)] : file;
    }
}
