namespace TorchSharp;

/// <summary>A number, converted from any of .NET's, that libtorch takes beside tensors.</summary>
public sealed class Scalar : IDisposable
{
    internal readonly Kind Kind;
    internal readonly long Bits;

    private Scalar(torch.ScalarType type, Kind kind, long bits) => (Type, Kind, Bits) = (type, kind, bits);

    internal static Scalar Of(torch.ScalarType type, long value) => new(type, type == torch.ScalarType.Bool ? Kind.Boolean : Kind.Integer, value);
    internal static Scalar Of(torch.ScalarType type, double value) => new(type, Kind.Number, BitConverter.DoubleToInt64Bits(value));

    internal double Number => Kind == Kind.Number ? BitConverter.Int64BitsToDouble(Bits) : Bits;
    internal long Integer => Kind == Kind.Number ? checked((long)BitConverter.Int64BitsToDouble(Bits)) : Bits;

    public torch.ScalarType Type { get; }

    public void Dispose() { }

    public static implicit operator Scalar(byte value) => value.ToScalar();
    public static implicit operator Scalar(sbyte value) => value.ToScalar();
    public static implicit operator Scalar(short value) => value.ToScalar();
    public static implicit operator Scalar(int value) => value.ToScalar();
    public static implicit operator Scalar(long value) => value.ToScalar();
    public static implicit operator Scalar(Half value) => value.ToScalar();
    public static implicit operator Scalar(float value) => value.ToScalar();
    public static implicit operator Scalar(double value) => value.ToScalar();
    public static implicit operator Scalar(bool value) => value.ToScalar();
}

public static class ScalarExtensionMethods
{
    // libtorch keeps integers as 64 bits and fractions as doubles, and calls their types so.
    public static Scalar ToScalar(this byte value) => Scalar.Of(torch.ScalarType.Int64, (long)value);
    public static Scalar ToScalar(this sbyte value) => Scalar.Of(torch.ScalarType.Int64, (long)value);
    public static Scalar ToScalar(this short value) => Scalar.Of(torch.ScalarType.Int64, (long)value);
    public static Scalar ToScalar(this int value) => Scalar.Of(torch.ScalarType.Int64, (long)value);
    public static Scalar ToScalar(this long value) => Scalar.Of(torch.ScalarType.Int64, value);
    public static Scalar ToScalar(this Half value) => Scalar.Of(torch.ScalarType.Float64, (double)value);
    public static Scalar ToScalar(this float value) => Scalar.Of(torch.ScalarType.Float64, (double)value);
    public static Scalar ToScalar(this double value) => Scalar.Of(torch.ScalarType.Float64, value);
    public static Scalar ToScalar(this bool value) => Scalar.Of(torch.ScalarType.Bool, value ? 1L : 0L);

    public static Half ToHalf(this Scalar value) => (Half)value.Number;
    public static float ToSingle(this Scalar value) => (float)value.Number;
    public static double ToDouble(this Scalar value) => value.Number;
    public static sbyte ToSByte(this Scalar value) => (sbyte)value.Integer;
    public static byte ToByte(this Scalar value) => (byte)value.Integer;
    public static short ToInt16(this Scalar value) => (short)value.Integer;
    public static int ToInt32(this Scalar value) => (int)value.Integer;
    public static long ToInt64(this Scalar value) => value.Integer;
    public static bool ToBoolean(this Scalar value) => value.Number != 0;
}
