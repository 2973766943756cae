using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class SafetensorsFileTests
{
    private const string TwoTensors =
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]}}""";

    [Fact]
    public unsafe void Open_ValidFile_GivesViewsOfItsTensors()
    {
        using TemporaryFolder folder = new();
        byte[] bytes = SafetensorsBytes.Of(TwoTensors, 12);
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(^8), -2.5f);

        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", bytes));

        Assert.Equal(["a", "b"], file.Tensors.Select(tensor => tensor.Name));
        Assert.Equal(new Shape(1, 2), file.Tensors[1].Shape);
        Assert.Equal(DataType.BFloat16, file.Tensors[1].DataType);
        Assert.Equal(4, file.Tensors[1].ByteCount);
        Assert.Equal(-2.5f, Unsafe.ReadUnaligned<float>(file.Tensors[0].Data + 4));
    }

    [Fact]
    public void Dispose_Twice_IsHarmless()
    {
        using TemporaryFolder folder = new();
        SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", SafetensorsBytes.Of(TwoTensors, 12)));

        file.Dispose();
        file.Dispose();

        File.Delete(file.FilePath);
        Assert.False(File.Exists(file.FilePath));
    }

    [Theory]
    [InlineData("BOOL", 8)]
    [InlineData("I8", 8)]
    [InlineData("U8", 8)]
    [InlineData("I16", 16)]
    [InlineData("U16", 16)]
    [InlineData("I32", 32)]
    [InlineData("U32", 32)]
    [InlineData("I64", 64)]
    [InlineData("U64", 64)]
    [InlineData("F64", 64)]
    [InlineData("C64", 64)]
    [InlineData("F8_E4M3", 8)]
    [InlineData("F8_E5M2", 8)]
    [InlineData("F8_E8M0", 8)]
    [InlineData("F6_E2M3", 6)]
    [InlineData("F6_E3M2", 6)]
    [InlineData("F4", 4)]
    public void Open_AnyTypeOfTheFormat_IsKnown(string type, int bits)
    {
        using TemporaryFolder folder = new();
        string header = $$"""{"a":{"dtype":"{{type}}","shape":[4],"data_offsets":[0,{{bits / 2}}] } }""";

        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", SafetensorsBytes.Of(header, bits / 2)));

        Assert.Equal(type, Assert.Single(file.Entries).Type.Name);
    }

    [Theory]
    [InlineData("{}", 0)]
    [InlineData("{}   ", 0)]
    [InlineData("""{"__metadata__":{"format":"pt"}}""", 0)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", 4)]
    [InlineData("""{"a":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}}""", 0)]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""",
        3)]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"note":{"x":[1]}}}""", 1)]
    public void Open_UnusualButWhole_IsAccepted(string header, int dataBytes)
    {
        using TemporaryFolder folder = new();

        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("x.safetensors", SafetensorsBytes.Of(header, dataBytes)));

        Assert.Equal(dataBytes, file.Tensors.Sum(tensor => tensor.ByteCount));
    }

    [Theory]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""",
        7, "cut off: its tensors need 8 bytes of data, but only 7")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "1 bytes after its last tensor")]
    [InlineData("", 0, "must be a JSON object")]
    [InlineData("[]", 0, "must be a JSON object")]
    [InlineData(" {}", 0, "must be a JSON object")]
    [InlineData("{\"a\"", 0, "not valid JSON")]
    [InlineData("{}x", 0, "not valid JSON")]
    [InlineData("{\"a\":1}", 0, "a must be a JSON object")]
    [InlineData("{\"\\ud800\":{}}", 0, "no text")]
    [InlineData("""{"__metadata__":{"n":1}}""", 0, "strings to strings")]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""",
        2, "a occurs more than once")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "more than one dtype")]
    [InlineData("""{"a":{"shape":[1],"data_offsets":[0,1]}}""", 1, "no dtype")]
    [InlineData("""{"a":{"dtype":"U8","data_offsets":[0,1]}}""", 1, "no shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1]}}""", 1, "no data_offsets")]
    [InlineData("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,1]}}""", 1, "unknown dtype 'F31'")]
    [InlineData("""{"a":{"dtype":3,"shape":[1],"data_offsets":[0,1]}}""", 1, "dtype of a must be a string")]
    [InlineData("""{"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}""", 1, "shape of a must be a list")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}""", 1, "shape of a must be whole numbers")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}""", 1, "shape of a must be whole numbers")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,"1"]}}""", 1, "data_offsets of a must be whole numbers")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}""", 1, "two data_offsets")]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,99999999999999999999]}}""",
        1, "data_offsets of a must be whole numbers")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}""", 1, "must not be above the second")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "must take 8 bytes for F32 [2]")]
    [InlineData("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1, "F4 [3] is 12 bits")]
    [InlineData(
        """{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}""",
        0, "must take 18446744073709551616 bytes")]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""",
        0, "more values than can be counted")]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}""",
        3, "b overlaps a")]
    [InlineData(
        """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""",
        3, "b leaves 1 unused bytes after a")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, "unused bytes after the header")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}""", 2, "cut off")]
    public void Open_DamagedHeader_SaysWhatIsWrong(string header, int dataBytes, string expected)
    {
        using TemporaryFolder folder = new();

        AssertRefused(folder.Write("x.safetensors", SafetensorsBytes.Of(header, dataBytes)), expected);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void Open_ShorterThanItsPrefix_SaysSo(int bytes)
    {
        using TemporaryFolder folder = new();

        AssertRefused(folder.Write("x.safetensors", new byte[bytes]), $"the file has only {bytes}");
    }

    [Theory]
    [InlineData(100ul, "cut off within its header")]
    [InlineData(100_000_001ul, "at most 100000000 are allowed")]
    [InlineData(ulong.MaxValue, "at most 100000000 are allowed")]
    public void Open_HeaderLengthBeyondTheFile_SaysSo(ulong length, string expected)
    {
        using TemporaryFolder folder = new();
        byte[] bytes = SafetensorsBytes.Of(TwoTensors, 12)[..50];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);

        AssertRefused(folder.Write("x.safetensors", bytes), expected);
    }

    [Fact]
    public void Open_DeepNesting_SaysNotValidJson()
    {
        using TemporaryFolder folder = new();
        string header = "{\"a\":{\"x\":" + new string('[', 100_000) + new string(']', 100_000) + "}}";

        AssertRefused(folder.Write("x.safetensors", SafetensorsBytes.Of(header, 0)), "not valid JSON");
    }

    [Fact]
    public void Open_HeaderThatIsNoText_SaysSo()
    {
        using TemporaryFolder folder = new();

        byte[] bytes = SafetensorsBytes.Of([(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)'}'], 0);

        AssertRefused(folder.Write("x.safetensors", bytes), "not UTF-8");
    }

    [Fact]
    public void Open_AnyDamage_GivesReadableTensorsOrItsOwnException()
    {
        using TemporaryFolder folder = new();
        byte[] whole = SafetensorsBytes.Of(TwoTensors, 12);
        Gen<byte[]> damaged = Damages().NonEmptyListOf().Select(
            damages => damages.Take(3).Aggregate(whole, (bytes, damage) => damage(bytes)));
        int number = 0;
        int opened = 0;

        Prop.ForAll(damaged.ToArbitrary(), bytes =>
        {
            string path = folder.Write($"{number++}.safetensors", bytes);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                opened++;
                return file.Tensors.All(IsReadable);
            }
            catch (CheckpointFormatException exception)
            {
                return exception.FilePath == path && exception.Message.Length > 0;
            }
            finally
            {
                File.Delete(path);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));

        Assert.InRange(opened, 1, number - 1);
    }

    private static Gen<Func<byte[], byte[]>> Damages()
    {
        Gen<int> headerCharacter =
            Gen.Elements(Encoding.ASCII.GetBytes("\"{}[],:0123456789.-eFBU\\").Select(value => (int)value));
        Gen<int> value = Gen.OneOf(Gen.Choose(0, 255), headerCharacter);
        Gen<int> place = Gen.OneOf(Gen.Choose(0, 16), Gen.Choose(0, 10_000));
        Gen<Func<byte[], byte[]>> flip =
            from at in place
            from to in value
            select new Func<byte[], byte[]>(bytes => bytes.Length == 0 ? bytes : Replaced(bytes, at % bytes.Length, (byte)to));
        Gen<Func<byte[], byte[]>> cut = place.Select(at => new Func<byte[], byte[]>(bytes => bytes[..(at % (bytes.Length + 1))]));
        Gen<Func<byte[], byte[]>> insert =
            from at in place
            from added in value
            select new Func<byte[], byte[]>(bytes =>
            {
                int split = at % (bytes.Length + 1);
                return [.. bytes[..split], (byte)added, .. bytes[split..]];
            });
        Gen<Func<byte[], byte[]>> lengthen = Gen.Choose(-3, 3).Select(by => new Func<byte[], byte[]>(
            bytes => bytes.Length == 0 ? bytes : Replaced(bytes, 0, (byte)(bytes[0] + by))));
        return Gen.OneOf(flip, cut, insert, lengthen);
    }

    private static byte[] Replaced(byte[] bytes, int at, byte value)
    {
        byte[] copy = [.. bytes];
        copy[at] = value;
        return copy;
    }

    // A read outside the mapping would end the whole test process.
    private static unsafe bool IsReadable(StoredTensor tensor) =>
        tensor.ByteCount == 0 || tensor.Data[0] + tensor.Data[tensor.ByteCount - 1] >= 0;

    private static void AssertRefused(string path, string expected)
    {
        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.Open(path));

        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);
        Assert.Equal(path, exception.FilePath);
    }
}
