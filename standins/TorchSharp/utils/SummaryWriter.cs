using System.Buffers.Binary;
using System.Numerics;

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class utils
        {
            public static partial class tensorboard
            {
                public static Modules.SummaryWriter SummaryWriter(string? log_dir = null, string? filename_suffix = null, bool createRunName = false) =>
                    new(string.IsNullOrEmpty(log_dir) ? Named("runs") : createRunName ? Named(log_dir) : log_dir, filename_suffix);

                private static string Named(string directory) => Path.Combine(directory, $"{DateTime.Now:MMMd_H-m-s}_{Environment.MachineName}");
            }
        }
    }
}

namespace TorchSharp.Modules
{
    /// <summary>Writes TensorBoard's event files: protocol buffers, each between its length and checksums.</summary>
    public class SummaryWriter
    {
        private static int files;
        private readonly string path;

        internal SummaryWriter(string log_dir, string? filename_suffix)
        {
            LogDir = log_dir;
            Directory.CreateDirectory(log_dir);
            string name = $"events.out.tfevents.{DateTime.Now.Ticks}.{Environment.MachineName}.{Environment.ProcessId}.{Interlocked.Increment(ref files)}";
            path = Path.Combine(log_dir, string.IsNullOrEmpty(filename_suffix) ? name : $"{name}.{filename_suffix}");
            // Event { wall_time = 1, file_version = 3 }
            using var first = new MemoryStream();
            Write(first, 1, DateTimeOffset.Now.ToUnixTimeSeconds());
            Write(first, 3, "brain.Event:2"u8);
            Append(first);
        }

        public string LogDir { get; }

        public void add_scalar(string tag, float scalar_value, int global_step, long? walltime = null)
        {
            // Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }
            using MemoryStream value = new(), summary = new(), written = new();
            Write(value, 1, System.Text.Encoding.UTF8.GetBytes(tag));
            value.WriteByte(2 << 3 | 5);
            value.Write(BitConverter.GetBytes(scalar_value));
            Write(summary, 1, value.ToArray());
            Write(written, 1, walltime ?? DateTimeOffset.Now.ToUnixTimeSeconds());
            written.WriteByte(2 << 3);
            WriteNumber(written, (ulong)global_step);
            Write(written, 5, summary.ToArray());
            Append(written);
        }

        private static void WriteNumber(Stream stream, ulong value)
        {
            for (; value > 0x7f; value >>= 7) stream.WriteByte((byte)(value | 0x80));
            stream.WriteByte((byte)value);
        }

        private static void Write(Stream stream, int field, double value)
        {
            stream.WriteByte((byte)(field << 3 | 1));
            stream.Write(BitConverter.GetBytes(value));
        }

        private static void Write(Stream stream, int field, ReadOnlySpan<byte> bytes)
        {
            stream.WriteByte((byte)(field << 3 | 2));
            WriteNumber(stream, (ulong)bytes.Length);
            stream.Write(bytes);
        }

        private void Append(MemoryStream message)
        {
            Span<byte> length = stackalloc byte[8], checksum = stackalloc byte[4];
            using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read);
            BinaryPrimitives.WriteInt64LittleEndian(length, message.Length);
            file.Write(length);
            BinaryPrimitives.WriteUInt32LittleEndian(checksum, Masked(length));
            file.Write(checksum);
            message.WriteTo(file);
            BinaryPrimitives.WriteUInt32LittleEndian(checksum, Masked(message.ToArray()));
            file.Write(checksum);
        }

        /// <summary>CRC-32C, turned by 15 bits and shifted by a constant, as the format has it.</summary>
        private static uint Masked(ReadOnlySpan<byte> bytes)
        {
            uint crc = uint.MaxValue;
            foreach (byte value in bytes) crc = BitOperations.Crc32C(crc, value);
            return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
        }
    }
}
