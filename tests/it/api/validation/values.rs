//! The closed lists as the specification and decisions, section 3 give them, in their order.

pub(super) const GENDER: &str = "male female other";
pub(super) const YES_NO: &str = "Yes No";
pub(super) const EMPLOYMENT: &str = "employed self_employed unemployed retired student";
pub(super) const MONTHLY_PAYMENTS: &str = "0_4999 5000_9999 10000_49999 50000_plus";
/// Of individuals.
pub(super) const FUNDS: &str = "salary self_employment_income investment_proceeds savings_inheritance_gift gifts \
    inheritance investments_loans pension_retirement sale_of_assets_real_estate savings someone_elses_funds";
/// Of individuals.
pub(super) const PURPOSE: &str = "receive_payments manage_professional_income make_payments manage_personal_funds \
    investment_trading charitable_donations investment_purposes operating_a_company \
    payments_to_friends_or_family_abroad personal_or_living_expenses purchase_goods_and_services protect_wealth \
    receive_salary receive_payment_for_freelancing";
pub(super) const BUSINESS_FUNDS: &str = "business_loans company_funds inter_company_funds investment_proceeds \
    investments_loans owners_capital sales_of_goods_and_services tax_refund third_party_funds treasury_reserves";
pub(super) const BUSINESS_PURPOSE: &str = "charitable_donations ecommerce_retail_payments internal_treasury \
    investment_purposes make_payments operating_a_company purchase_goods_and_services receive_payments \
    receive_payments_for_goods_and_services third_party_money_transmission";
pub(super) const BUSINESS_TYPE: &str = "limited_liability_company corporation general_partnership \
    limited_liability_partnership sole_proprietor non_profit trust government_organization publicly_traded_company";
pub(super) const IDENTIFICATION: &str = "passport national_id drivers_license state_or_provincial_id \
    permanent_residency_id visa military_id matriculate_id ssn itin tax_id curp rfc cpf tin nuip proof_of_address \
    source_of_wealth business_formation ein nit";
pub(super) const TAX_IDS: &str = "ssn itin tax_id curp rfc cpf tin nuip ein nit";
pub(super) const DOCUMENT: &str =
    "front back selfie file_proof_of_address file_business_formation file_source_of_wealth";
const IMMIGRATION: [&str; 3] = ["Permanent U.S. Resident", "Non-Permanent U.S. Resident", "Non-Resident of U.S."];
pub(super) const INDUSTRY: &str = "\
    crop_production animal_production forestry_logging fishing_hunting_trapping \
    support_activities_agriculture_forestry oil_gas_extraction mining_except_oil_gas support_activities_mining \
    utilities construction_of_buildings heavy_civil_engineering_construction specialty_trade_contractors \
    food_manufacturing beverage_tobacco_product_manufacturing textile_mills textile_product_mills \
    apparel_manufacturing leather_allied_product_manufacturing wood_product_manufacturing paper_manufacturing \
    printing_related_support_activities petroleum_coal_products_manufacturing chemical_manufacturing \
    plastics_rubber_products_manufacturing nonmetallic_mineral_product_manufacturing primary_metal_manufacturing \
    fabricated_metal_product_manufacturing machinery_manufacturing computer_electronic_product_manufacturing \
    electrical_equipment_appliance_component_manufacturing transportation_equipment_manufacturing \
    furniture_related_product_manufacturing miscellaneous_manufacturing merchant_wholesalers_durable_goods \
    merchant_wholesalers_nondurable_goods wholesale_electronic_markets_agents_brokers \
    motor_vehicle_parts_dealers furniture_home_furnishings_stores electronics_appliance_stores \
    building_material_garden_equipment_supplies_dealers food_beverage_stores health_personal_care_stores \
    gasoline_stations clothing_accessories_stores sporting_goods_hobby_book_music_stores \
    general_merchandise_stores miscellaneous_store_retailers nonstore_retailers air_transportation \
    rail_transportation water_transportation truck_transportation transit_ground_passenger_transportation \
    pipeline_transportation scenic_sightseeing_transportation support_activities_transportation postal_service \
    couriers_messengers warehousing_storage publishing_industries motion_picture_sound_recording_industries \
    broadcasting internet_publishing_broadcasting telecommunications data_processing_hosting_related_services \
    other_information_services monetary_authorities_central_bank credit_intermediation_related_activities \
    securities_commodity_contracts_financial_investments insurance_carriers_related_activities \
    funds_trusts_other_financial_vehicles real_estate rental_leasing_services \
    lessors_nonfinancial_intangible_assets professional_scientific_technical management_of_companies \
    administrative_support_services waste_management_remediation_services educational_services \
    ambulatory_health_care_services hospitals nursing_residential_care_facilities social_assistance \
    performing_arts_spectator_sports museums_historical_sites amusement_gambling_recreation_industries \
    accommodation food_services_drinking_places repair_maintenance personal_laundry_services \
    religious_grantmaking_civic_professional_organizations private_households public_administration";

/// The values of a list; `immigration` names the one whose values have blanks.
pub(super) fn values(list: &'static str) -> Vec<&'static str> {
    if list == "immigration" { IMMIGRATION.to_vec() } else { list.split_whitespace().collect() }
}

/// The values in a sentence.
pub(super) fn quoted(list: &'static str) -> String {
    values(list).iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(" | ")
}
