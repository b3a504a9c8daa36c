// A made-up person: area 99 is no province.
const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const FAMILY = ["李", "王", "张", "刘", "陈", "杨", "赵", "周", "吴", "欧阳", "上官", "诸葛"];
const GIVEN = ["示例", "样本", "测试", "虚构", "范文", "例证", "模拟", "试行"];

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const digits = (value, length) => String(value).padStart(length, "0");

export function madeUpPerson() {
  const year = 1965 + Math.floor(Math.random() * 38);
  const birth_date = `${year}-${digits(1 + Math.floor(Math.random() * 12), 2)}-${digits(1 + Math.floor(Math.random() * 28), 2)}`;
  const sex = pick(["1", "2"]);
  const sequence = 2 * Math.floor(Math.random() * 499) + (sex === "1" ? 1 : 2);
  const body = `99${digits(Math.floor(Math.random() * 10_000), 4)}${birth_date.replaceAll("-", "")}${digits(sequence, 3)}`;
  const sum = WEIGHTS.reduce((total, weight, place) => total + weight * Number(body[place]), 0);
  return {
    name: pick(FAMILY) + pick(GIVEN),
    sex,
    ethnicity: "01",
    birth_date,
    citizen_id_number: body + "10X98765432"[sum % 11],
    hukou_address: "安徽省合肥市蜀山区示例路1号",
    division: "320211",
    address: "滨湖区示例新村8号101室",
    residence_registered_on: "2024-01-15",
    ground: "employment",
  };
}
